package dev.conveyor.models.process;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.memory.ThreadPriority;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.process.wire.ControlChannel;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.MessageType;
import dev.conveyor.models.process.wire.ProtocolException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * A worker that has loaded a model, and what it holds in the server's ledger. Not thread-safe:
 * owned by the model until an executor takes it over.
 */
final class LoadedWorker implements AutoCloseable {

  private final WorkerProcess process;
  private final Workers workers;
  private final LoadOptions options;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private Reservation reservation;

  private LoadedWorker(
      WorkerProcess process,
      Workers workers,
      LoadOptions options,
      List<TensorSpec> inputs,
      List<TensorSpec> outputs,
      Reservation reservation) {
    this.process = process;
    this.workers = workers;
    this.options = options;
    this.inputs = inputs;
    this.outputs = outputs;
    this.reservation = reservation;
  }

  /**
   * Makes a worker load a model.
   *
   * @throws ModelLoadException if the worker could not, and says why
   */
  static LoadedWorker load(WorkerProcess process, Path file, LoadOptions options, Workers workers)
      throws WorkerLostException {
    ControlChannel message =
        process
            .begin(MessageType.LOAD)
            .putString(file.toAbsolutePath().toString())
            .putString(options.owner())
            .putInt(options.intraOpThreads())
            .putLong(options.budget().availableBytes())
            .putInt(options.parameters().size());
    options.parameters().forEach((key, value) -> message.putString(key).putString(value));
    Message answer = process.callToLoad();
    try {
      if (answer.type() == MessageType.FAILED) {
        throw failure(answer);
      }
      answer.expect(MessageType.LOADED);
      long bytes = bytes(answer, options);
      List<TensorSpec> inputs = answer.readSpecs();
      List<TensorSpec> outputs = answer.readSpecs();
      Reservation reservation = options.budget().reserve(options.owner() + "/weights", bytes);
      return new LoadedWorker(process, workers, options, inputs, outputs, reservation);
    } catch (BudgetExceededException e) {
      throw new ModelLoadException(file + ": " + e.getMessage(), e);
    } catch (IOException e) {
      throw process.lost(e);
    }
  }

  /**
   * Makes the worker's executor.
   *
   * @throws ExecutionException OUT_OF_MEMORY if there is no room for it
   */
  void prepare(int maxBatchSize) throws WorkerLostException {
    process.begin(MessageType.PREPARE).putInt(maxBatchSize);
    Message answer = process.callToLoad();
    try {
      if (answer.type() == MessageType.FAILED) {
        throw failure(answer);
      }
      long bytes = bytes(answer.expect(MessageType.DONE), options);
      reservation.close();
      reservation = options.budget().reserve(options.owner() + "/worker", bytes);
      ThreadPriority.restore(process.pid(), WorkerCommand.STARTING_NICENESS);
    } catch (IOException e) {
      throw process.lost(e);
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

  long reservedBytes() {
    return reservation.bytes();
  }

  @Override
  public void close() {
    process.close();
    reservation.close();
  }

  private static ModelLoadException failure(Message answer) throws IOException {
    String kind = answer.readString();
    String message = answer.readString();
    return new ModelLoadException(
        kind.equals(ExecutionException.Kind.OUT_OF_MEMORY.name())
            ? "out of memory: " + message
            : message);
  }

  private static long bytes(Message answer, LoadOptions options) throws IOException {
    long bytes = answer.readLong();
    if (bytes < 0 || bytes > options.budget().capacityBytes()) {
      throw new ProtocolException("a reservation of " + bytes + " bytes");
    }
    return bytes;
  }
}
