package dev.conveyor.models.process;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.process.wire.ControlChannel;
import dev.conveyor.models.process.wire.FailureKind;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.MessageType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A worker with several lanes that uses no GPU and says what one does that does. Files beside its
 * model's, named after it, make steps of it fail or wait.
 */
public final class ScriptedGpuWorker {

  static final long LOADED_BYTES = 1 << 10;
  static final long PREPARED_BYTES = 2 << 10;
  static final long AFTER_RUN_BYTES = 3 << 10;
  static final long BYTES_ON_GPU = 1 << 20;
  static final long SLAB_BYTES = 1 << 19;

  /** As long as it is there, what has the GPU's memory grow does not end: a load, a new lane. */
  static final String GATE = ".gate";

  /** Written when that comes to the gate. */
  static final String GROWING = ".growing";

  /** It measures what a load takes. */
  static final String MEASURES = ".measures";

  /** The GPU cannot be used. */
  static final String UNUSABLE = ".unusable";

  /** There is no room for an executor. */
  static final String NO_ROOM = ".no-room";

  /** The GPU is lost as shared memory is mapped. */
  static final String LOST = ".lost";

  private final ControlChannel channel;
  private static volatile Path model = Path.of("");

  private ScriptedGpuWorker(ControlChannel channel) {
    this.channel = channel;
  }

  public static void main(String[] arguments) throws Exception {
    int lanes = Integer.parseInt(arguments[3]);
    for (int lane = 0; lane < lanes; lane++) {
      ScriptedGpuWorker worker =
          new ScriptedGpuWorker(WorkerStub.connect(arguments, lane).channel());
      new Thread(worker::run).start();
    }
  }

  private void run() {
    try {
      while (true) {
        answer(channel.receive(0));
        channel.send();
      }
    } catch (Exception e) {
      Runtime.getRuntime().halt(1); // The server has closed the channel.
    }
  }

  private static boolean isThere(String suffix) {
    return Files.exists(Path.of(model + suffix));
  }

  private void answer(Message message) throws Exception {
    switch (message.type()) {
      case LOAD -> load(Path.of(message.readString()));
      case PREPARE -> {
        awaitGate();
        if (isThere(NO_ROOM)) {
          fail(FailureKind.RUN, "no room");
        } else {
          done(PREPARED_BYTES);
        }
      }
      case MAP -> {
        if (isThere(LOST)) {
          fail(FailureKind.DEVICE_LOST, "cudaHostRegister: it is gone");
        } else {
          done(PREPARED_BYTES);
        }
      }
      default ->
          channel
              .begin(MessageType.RESULT)
              .putLong(message.readLong())
              .putLong(0)
              .putLong(0)
              .putLong(0)
              .putLong(AFTER_RUN_BYTES)
              .putLong(BYTES_ON_GPU + SLAB_BYTES)
              .putInt(1)
              .putBlock(Shape.of(1, 1), 0, Float.BYTES);
    }
  }

  private static void awaitGate() throws Exception {
    while (isThere(GATE)) {
      Files.writeString(Path.of(model + GROWING), "");
      TimeUnit.MILLISECONDS.sleep(5);
    }
  }

  private void load(Path file) throws Exception {
    model = file;
    if (isThere(MEASURES)) {
      channel.begin(MessageType.MEASURE);
      channel.send();
      Message unused = channel.receive(0).expect(MessageType.MEASURE);
    }
    awaitGate();
    if (isThere(UNUSABLE)) {
      fail(FailureKind.DEVICE_UNUSABLE, "no driver");
      return;
    }
    List<TensorSpec> specs = List.of(new TensorSpec("t", DataType.FP32, Shape.of(-1, 1)));
    channel
        .begin(MessageType.LOADED)
        .putLong(LOADED_BYTES)
        .putHolders(Map.of("test/weights", BYTES_ON_GPU))
        .putSpecs(specs)
        .putSpecs(specs);
  }

  private void fail(FailureKind kind, String why) {
    channel.begin(MessageType.FAILED).putString(kind.name()).putString(why);
  }

  private void done(long heldBytes) {
    channel
        .begin(MessageType.DONE)
        .putLong(heldBytes)
        .putHolders(Map.of("test/weights", BYTES_ON_GPU, "test/slabs", SLAB_BYTES));
  }
}
