package dev.conveyor.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.models.DataType;
import dev.conveyor.models.OnnxFiles;
import dev.conveyor.models.OnnxFiles.Value;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.onnxruntime.RunOptions;
import org.bytedeco.onnxruntime.Session;
import org.bytedeco.onnxruntime.SessionOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What engines bind on a GPU, with the CPU's memory and provider: the calls are the same. */
class VaryingBindingTest {

  private static final Shape ANY = Shape.of(-1, -1);
  private static final List<Value> INPUT =
      List.of(new Value("x", OnnxFiles.FLOAT, List.of("batch", "length")));

  @TempDir private Path dir;

  private final Block block = BlockAllocator.host().allocate(1024);

  private Binder binder(Session session, TensorSpec output) {
    return new SessionBinder(
        session,
        OnnxValues.cpuMemory(),
        new DeviceLayout(List.of(new TensorSpec("x", DataType.FP32, ANY)), List.of(output), 8));
  }

  private static Session open(Path file) {
    try (SessionOptions options = new SessionOptions();
        BytePointer path = new BytePointer(file.toString())) {
      options.SetIntraOpNumThreads(1);
      return new Session(OnnxBackend.environment(), path, options);
    }
  }

  /** Puts numbers where a batch has its input. */
  private DeviceBatch batch(float... numbers) {
    for (int i = 0; i < numbers.length; i++) {
      block.buffer().putFloat(Float.BYTES * i, numbers[i]);
    }
    return new DeviceBatch() {
      @Override
      public long input(int index) {
        return block.address();
      }

      @Override
      public long output(int index) {
        throw new AssertionError("the session takes the memory");
      }
    };
  }

  private static ByteBuffer at(long address, int bytes) {
    return new BytePointer(new CudaProvider.At(address))
        .capacity(bytes)
        .asByteBuffer()
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  @Test
  void shouldRunBatchesOfEveryLengthOneAfterTheOther() {
    Path file =
        OnnxFiles.oneNode(
            dir.resolve("neg.onnx"),
            "Neg",
            INPUT,
            List.of(new Value("y", OnnxFiles.FLOAT, List.of("batch", "length"))));
    try (Session session = open(file);
        Binder binder = binder(session, new TensorSpec("y", DataType.FP32, ANY));
        RunOptions options = new RunOptions()) {
      for (int length = 1; length < 20; length++) {
        float[] numbers = new float[2 * length];
        for (int i = 0; i < numbers.length; i++) {
          numbers[i] = length + i;
        }
        Shape shape = Shape.of(2, length);
        try (Binder.VaryingBoundRun bound = binder.varying(List.of(shape), batch(numbers))) {
          bound.run(options);
          assertThat(bound.shape(0)).isEqualTo(shape);
          ByteBuffer answer = at(bound.address(0), Float.BYTES * numbers.length);
          for (int i = 0; i < numbers.length; i++) {
            assertThat(answer.getFloat(Float.BYTES * i)).isEqualTo(-numbers[i]);
          }
        }
      }
    }
    block.close();
  }

  @Test
  void shouldTellShapesThatOnlyTheRunKnows() {
    Path file =
        OnnxFiles.oneNode(
            dir.resolve("nonzero.onnx"),
            "NonZero",
            INPUT,
            List.of(new Value("where", OnnxFiles.INT64, List.of(2, "found"))));
    try (Session session = open(file);
        Binder binder = binder(session, new TensorSpec("where", DataType.INT64, Shape.of(2, -1)));
        RunOptions options = new RunOptions()) {
      List<Shape> shapes = List.of(Shape.of(1, 5));
      try (Binder.VaryingBoundRun bound = binder.varying(shapes, batch(0, 7, 0, 8, 9))) {
        bound.run(options);
        assertThat(bound.shape(0)).isEqualTo(Shape.of(2, 3));
        ByteBuffer found = at(bound.address(0), 6 * Long.BYTES);
        assertThat(found.getLong(3 * Long.BYTES)).isEqualTo(1);
        assertThat(found.getLong(5 * Long.BYTES)).isEqualTo(4);
      }
      try (Binder.VaryingBoundRun none = binder.varying(List.of(Shape.of(1, 2)), batch(0, 0))) {
        none.run(options);
        assertThat(none.shape(0)).isEqualTo(Shape.of(2, 0));
      }
    }
    block.close();
  }
}
