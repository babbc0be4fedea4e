package dev.conveyor.models.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.memory.ThreadPriority;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ModelConfigWriter;
import dev.conveyor.models.device.LoadMeter;
import dev.conveyor.models.process.wire.ControlChannel;
import dev.conveyor.models.process.wire.FailureKind;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.MessageType;
import dev.conveyor.models.process.wire.ProtocolException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A worker that has loaded a model, and what it holds in the server's ledgers.
 *
 * <p>Thread-safe: its executors, one per lane, belong to threads of their own. The last of them
 * that leaves closes it.
 */
final class LoadedWorker implements AutoCloseable {

  /** In the place of a lane that cannot be had. */
  static final int NO_LANE = -1;

  private final WorkerProcess process;
  private final Workers workers;
  private final LoadOptions options;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private final @Nullable GpuShare share;
  private final @Nullable WorkerLedger gpu;

  @GuardedBy("this")
  private Reservation reservation;

  @GuardedBy("this")
  private boolean prepared;

  @GuardedBy("this")
  private boolean serves;

  @GuardedBy("this")
  private int taken;

  @GuardedBy("this")
  private int left;

  private LoadedWorker(
      WorkerProcess process,
      Workers workers,
      LoadOptions options,
      List<TensorSpec> inputs,
      List<TensorSpec> outputs,
      Reservation reservation,
      @Nullable GpuShare share,
      @Nullable WorkerLedger gpu) {
    this.process = process;
    this.workers = workers;
    this.options = options;
    this.inputs = inputs;
    this.outputs = outputs;
    this.reservation = reservation;
    this.share = share;
    this.gpu = gpu;
  }

  /**
   * Makes a worker load a model. What it takes of a GPU is in the ledger before anything else is
   * loaded there, or is given back by then.
   *
   * @param process closed if this fails
   * @param share where it is to load it; null for the CPU
   * @throws ModelLoadException if the worker could not, and says why
   */
  static LoadedWorker load(
      WorkerProcess process,
      Path file,
      LoadOptions options,
      @Nullable GpuShare share,
      Workers workers)
      throws WorkerLostException {
    try (LoadTurn turn = new LoadTurn(share)) {
      return load(turn, process, file, options, share, workers);
    }
  }

  private static LoadedWorker load(
      LoadTurn turn,
      WorkerProcess process,
      Path file,
      LoadOptions options,
      @Nullable GpuShare share,
      Workers workers)
      throws WorkerLostException {
    WorkerLine line = process.line(0);
    WorkerLedger gpu = share == null ? null : new WorkerLedger(share.budget(), options.owner());
    Reservation reservation = options.budget().reserve(options.owner() + "/weights", 0);
    boolean loaded = false;
    try {
      ask(line.begin(MessageType.LOAD), file, options, share);
      Message answer = turn.call(line);
      if (answer.type() == MessageType.FAILED) {
        throw failure(process, answer);
      }
      answer.expect(MessageType.LOADED);
      reservation.resize(bytes(answer, options));
      report(answer, gpu);
      List<TensorSpec> inputs = answer.readSpecs();
      List<TensorSpec> outputs = answer.readSpecs();
      loaded = true;
      return new LoadedWorker(process, workers, options, inputs, outputs, reservation, share, gpu);
    } catch (BudgetExceededException e) {
      throw new ModelLoadException(file + ": " + e.getMessage(), e);
    } catch (IOException e) {
      throw process.lost(e);
    } finally {
      if (!loaded) {
        process.close();
        reservation.close();
        close(gpu);
      }
    }
  }

  private static void ask(
      ControlChannel message, Path file, LoadOptions options, @Nullable GpuShare share)
      throws IOException {
    message
        .putString(file.toAbsolutePath().toString())
        .putString(options.owner())
        .putInt(options.intraOpThreads())
        .putLong(options.budget().availableBytes())
        .putInt(options.parameters().size());
    options.parameters().forEach((key, value) -> message.putString(key).putString(value));
    message.putInt(share == null ? 0 : 1);
    if (share != null) {
      message
          .putText(ModelConfigWriter.toJson(share.config()))
          .putLong(share.budget().availableBytes())
          .putInt(share.place().spins() ? 1 : 0);
    }
  }

  /** Takes the next lane; {@link #NO_LANE} if there is none, or the process is gone or going. */
  synchronized int enter() {
    boolean open =
        process.isAlive() && taken < process.spec().lanes() && (taken == 0 || left < taken);
    return open ? taken++ : NO_LANE;
  }

  /**
   * Makes the executor of a lane in the worker.
   *
   * @throws ModelLoadException if there is no room for it
   */
  void prepare(WorkerLine line, int maxBatchSize) throws WorkerLostException {
    try (LoadTurn turn = new LoadTurn(share)) {
      line.begin(MessageType.PREPARE).putInt(maxBatchSize);
      Message answer = turn.call(line);
      if (answer.type() == MessageType.FAILED) {
        throw failure(process, answer);
      }
      hold(bytes(answer.expect(MessageType.DONE), options));
      report(answer, gpu);
      ThreadPriority.restore(process.pid(), WorkerCommand.STARTING_NICENESS);
    } catch (IOException e) {
      throw process.lost(e);
    }
  }

  /** The model serves with it from here on: it is what a spare takes the place of. */
  void noteServing() {
    synchronized (this) {
      if (serves) {
        return;
      }
      serves = true;
    }
    workers.serves(process);
  }

  /** From the first lane on it is the whole process that is counted, not the weights. */
  private synchronized void hold(long bytes) {
    if (!prepared) {
      reservation.close();
      reservation = options.budget().reserve(options.owner() + "/worker", 0);
      prepared = true;
    }
    if (bytes != reservation.bytes()) {
      reservation.resize(bytes);
    }
  }

  /**
   * Reads from an answer what it holds by now, and takes note: bytes of the host, bytes of its GPU.
   *
   * @throws WorkerLostException if a ledger has no room for that: the worker is killed
   */
  void readHeld(Message answer) throws IOException, WorkerLostException {
    long bytes = bytes(answer, options);
    long bytesOnGpu = answer.readLong();
    try {
      hold(bytes);
      if (gpu != null) {
        gpu.report(bytesOnGpu);
      }
    } catch (BudgetExceededException e) {
      process.kill(
          new Loss(
              Loss.Cause.OVER_MEMORY,
              "worker process %d holds %d bytes, and %d of a GPU: %s"
                  .formatted(process.pid(), bytes, bytesOnGpu, e.getMessage())));
      throw process.lost(new IOException(e));
    }
  }

  WorkerProcess process() {
    return process;
  }

  Workers workers() {
    return workers;
  }

  LoadOptions options() {
    return options;
  }

  List<TensorSpec> inputs() {
    return inputs;
  }

  List<TensorSpec> outputs() {
    return outputs;
  }

  synchronized long reservedBytes() {
    return reservation.bytes() + (gpu == null ? 0 : gpu.bytes());
  }

  /** Returns whether no lane was ever taken: nobody else closes it. */
  synchronized boolean isUnused() {
    return taken == 0;
  }

  /** One lane is given up; the last one closes it. On that lane's thread. */
  void leave() {
    boolean last;
    synchronized (this) {
      left++;
      last = left == taken;
    }
    if (last) {
      close();
    }
  }

  @Override
  public void close() {
    LoadMeter.Turn turn = GpuShare.toGiveBack(share);
    try {
      process.close();
      synchronized (this) {
        reservation.close();
      }
      close(gpu);
    } finally {
      turn.end();
    }
  }

  private static void close(@Nullable WorkerLedger gpu) {
    if (gpu != null) {
      gpu.close();
    }
  }

  private static void report(Message answer, @Nullable WorkerLedger gpu) throws IOException {
    var holders = answer.readHolders();
    if (gpu != null) {
      gpu.report(holders);
    }
  }

  /** Says why a worker could not; one that has lost its GPU is of no use any more. */
  private static ModelLoadException failure(WorkerProcess process, Message answer)
      throws IOException, WorkerLostException {
    FailureKind kind = answer.readFailureKind();
    String message = answer.readString();
    return switch (kind) {
      case RUN -> new ModelLoadException(message);
      case OUT_OF_MEMORY -> new ModelLoadException("out of memory: " + message);
      case DEVICE_LOST -> throw process.lostDevice(Loss.Cause.DEVICE_LOST, message);
      case DEVICE_UNUSABLE -> throw process.lostDevice(Loss.Cause.DEVICE_UNUSABLE, message);
    };
  }

  /** Returns what to throw for a batch that a worker could not run. */
  ExecutionException failedRun(Message answer) throws IOException, WorkerLostException {
    FailureKind kind = answer.readFailureKind();
    String message = answer.readString();
    return switch (kind) {
      case RUN -> new ExecutionException(ExecutionException.Kind.RUN, message);
      case OUT_OF_MEMORY -> new ExecutionException(ExecutionException.Kind.OUT_OF_MEMORY, message);
      case DEVICE_LOST, DEVICE_UNUSABLE ->
          throw process.lostDevice(Loss.Cause.DEVICE_LOST, message);
    };
  }

  private static long bytes(Message answer, LoadOptions options) throws IOException {
    long bytes = answer.readLong();
    if (bytes < 0 || bytes > options.budget().capacityBytes()) {
      throw new ProtocolException("a reservation of " + bytes + " bytes");
    }
    return bytes;
  }
}
