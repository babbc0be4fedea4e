package dev.conveyor.models.process;

import com.sun.jna.Library;
import com.sun.jna.Native;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * Does what the first number of its input says, in whatever process it is; other numbers it gives
 * back. Its model file is a text: one that says {@code crash} kills who loads it, and {@code hang}
 * never lets go.
 */
public final class FaultyBackend implements Backend {

  private static final int READ_AND_WRITE = 3;
  private static final int SHARED_ANONYMOUS_AT_ONCE = 0x8021;

  /** The function called. Public because JNA implements it. */
  public interface LibC extends Library {
    LibC INSTANCE = Native.load("c", LibC.class);

    com.sun.jna.Pointer mmap(
        com.sun.jna.@Nullable Pointer at, long length, int access, int kind, int file, long offset);
  }

  public static final float CRASH = -1;
  public static final float EXIT = -2;
  public static final float THROW = -3;
  public static final float HANG = -4;
  public static final float EAT_MEMORY = -5;

  /** Gives back 64 times as many numbers, all of them this one. */
  public static final float SWELL = -6;

  /** Takes memory that no limit of the system's own counts: it is shared, with nobody. */
  public static final float EAT_SHARED_MEMORY = -7;

  public static final float DEEP_RECURSION = -8;

  public static final int EXIT_CODE = 3;

  @Override
  public String name() {
    return "faulty";
  }

  @Override
  public LoadedModel load(Path file, LoadOptions options) {
    String text;
    try {
      text = Files.readString(file);
    } catch (IOException e) {
      throw new ModelLoadException(file + ": " + e, e);
    }
    if (text.equals("crash")) {
      crash();
    }
    if (text.equals("hang")) {
      hang();
    }
    if (text.equals("bad")) {
      throw new ModelLoadException(file + ": this model is bad");
    }
    return new Model();
  }

  private static final class Model implements LoadedModel {
    @Override
    public List<TensorSpec> inputs() {
      return List.of(new TensorSpec("in", DataType.FP32, Shape.of(-1, -1)));
    }

    @Override
    public List<TensorSpec> outputs() {
      return List.of(new TensorSpec("out", DataType.FP32, Shape.of(-1, -1)));
    }

    @Override
    public long reservedBytes() {
      return 0;
    }

    @Override
    public ModelExecutor newExecutor(int maxBatchSize) {
      return new Executor();
    }

    @Override
    public void close() {}
  }

  private static final class Executor implements ModelExecutor {
    @Override
    public BatchResult execute(List<? extends BatchRequest> requests) {
      List<List<Tensor>> answers = new ArrayList<>();
      for (BatchRequest request : requests) {
        Tensor input = request.inputs().get(0);
        float first = input.data().order(ByteOrder.LITTLE_ENDIAN).getFloat(0);
        misbehave(first);
        answers.add(List.of(first == SWELL ? swollen(input) : copy(input)));
      }
      return new BatchResult(answers, 1, 2, 3);
    }

    @Override
    public void close() {}
  }

  private static Tensor copy(Tensor input) {
    ByteBuffer copy = ByteBuffer.allocate(input.sizeBytes());
    copy.put(0, input.data(), 0, input.sizeBytes());
    return Tensor.of("out", DataType.FP32, input.shape(), copy);
  }

  private static Tensor swollen(Tensor input) {
    long width = input.shape().dim(1) * 64;
    int numbers = (int) (input.shape().dim(0) * width);
    ByteBuffer data = ByteBuffer.allocate(4 * numbers).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < numbers; i++) {
      data.putFloat(4 * i, SWELL);
    }
    return Tensor.of(
        "out",
        DataType.FP32,
        input.shape().withoutFirst().withFirst(width).withBatch(input.shape().dim(0)),
        data);
  }

  private static void misbehave(float how) {
    if (how == CRASH) {
      crash();
    } else if (how == EXIT) {
      System.out.write("so long\n".getBytes(StandardCharsets.UTF_8), 0, 8);
      System.out.flush();
      System.exit(EXIT_CODE);
    } else if (how == THROW) {
      throw new ExecutionException(ExecutionException.Kind.RUN, "not these inputs");
    } else if (how == HANG) {
      hang();
    } else if (how == EAT_MEMORY) {
      eatMemory();
    } else if (how == DEEP_RECURSION) {
      throw new StackOverflowError();
    } else if (how == EAT_SHARED_MEMORY) {
      LibC.INSTANCE.mmap(null, 1L << 30, READ_AND_WRITE, SHARED_ANONYMOUS_AT_ONCE, -1, 0);
      hang();
    }
  }

  /** Writes to address 0, as native code with a mistake does. */
  private static void crash() {
    try {
      Class<?> unsafe = Class.forName("sun.misc.Unsafe");
      Field instance = unsafe.getDeclaredField("theUnsafe");
      instance.setAccessible(true);
      unsafe.getMethod("putByte", long.class, byte.class).invoke(instance.get(null), 0L, (byte) 1);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void hang() {
    try {
      TimeUnit.DAYS.sleep(1);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void eatMemory() {
    List<Pointer> eaten = new ArrayList<>();
    long bytes = 16L << 20;
    while (true) {
      Pointer block = Pointer.malloc(bytes);
      if (block == null || block.isNull()) {
        throw new ExecutionException(
            ExecutionException.Kind.OUT_OF_MEMORY, "malloc failed after " + eaten.size());
      }
      Pointer.memset(block, 1, bytes);
      eaten.add(block);
    }
  }
}
