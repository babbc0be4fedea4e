package dev.conveyor.models.process;

import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.Slices;
import dev.conveyor.models.process.wire.ControlChannel;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.MessageType;
import dev.conveyor.models.process.wire.ProtocolException;
import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;

/**
 * Runs the batches of one instance in its worker. Thread-confined: created, used and closed by one
 * thread.
 *
 * <p>Inputs are gathered straight into memory that the worker reads them from; outputs are copied
 * from where it wrote them, after their place and size were checked. A small message goes each way.
 */
final class ProcessExecutor implements ModelExecutor {

  /** Longer than a small execution, or a client on the same machine that comes back, takes. */
  private static final long AWAKE_NS = 100_000;

  private final LoadedWorker worker;
  private final WorkerProcess process;
  private final WorkerLine line;
  private final boolean batches;
  private final SlabLayout layout;
  private final TensorSlab slab;
  private final OutputReader outputs;
  private long number;
  private long awakeNs;

  /**
   * Takes over a lane that was prepared.
   *
   * @param lane that is its own from now on
   */
  ProcessExecutor(LoadedWorker worker, int lane, int maxBatchSize) throws WorkerLostException {
    this.worker = worker;
    this.process = worker.process();
    this.line = process.line(lane);
    this.batches = maxBatchSize > 0;
    this.layout = new SlabLayout(worker.inputs(), worker.outputs(), batches);
    this.slab = new TensorSlab(worker, line);
    this.outputs = new OutputReader(worker.outputs(), batches);
    try {
      slab.ensure(layout.bytesFor(Math.max(1, maxBatchSize)));
    } catch (RuntimeException | WorkerLostException e) {
      slab.close();
      throw e;
    }
  }

  @Override
  public BatchResult execute(List<? extends BatchRequest> requests) {
    final long start = System.nanoTime();
    int items = Slices.items(requests);
    try {
      long outputsAt = layout.place(requests);
      slab.ensure(outputsAt + layout.outputBytesFor(items));
      ControlChannel message = line.begin(MessageType.EXECUTE);
      message
          .putLong(++number)
          .putLong(awakeNs)
          .putInt(items)
          .putLong(outputsAt)
          .putInt(layout.inputs());
      for (int i = 0; i < layout.inputs(); i++) {
        slab.gather(requests, i, layout.offset(i), layout.bytes(i));
        message.putBlock(shape(requests, i, items), layout.offset(i), layout.bytes(i));
      }
      final long gathered = System.nanoTime();
      Message answer = line.call(awakeNs);
      if (answer.type() == MessageType.GROW) {
        answer = grow(answer.readLong());
      }
      if (answer.type() == MessageType.FAILED) {
        throw worker.failedRun(answer);
      }
      return result(answer.expect(MessageType.RESULT), requests, items, start, gathered);
    } catch (WorkerLostException e) {
      throw new ExecutionException(
          ExecutionException.Kind.INSTANCE_LOST, String.valueOf(e.getMessage()));
    } catch (IOException e) {
      WorkerLostException lost = process.lost(e);
      throw new ExecutionException(
          ExecutionException.Kind.INSTANCE_LOST, String.valueOf(lost.getMessage()));
    }
  }

  private BatchResult result(
      Message answer, List<? extends BatchRequest> requests, int items, long start, long gathered)
      throws IOException, WorkerLostException {
    long echoed = answer.readLong();
    if (echoed != number) {
      throw new ProtocolException("the result of run " + echoed + ", asked was " + number);
    }
    long copyInNs = Math.max(0, answer.readLong());
    long computeNs = Math.max(0, answer.readLong());
    answer.readLong();
    worker.readHeld(answer);
    List<List<Tensor>> answers = outputs.read(answer, slab.bytes(), requests, items);
    long end = System.nanoTime();
    // Durations of another clock's owner are taken as far as they can be true.
    long compute = Math.min(computeNs, end - gathered);
    long copyIn = Math.min(copyInNs, end - gathered - compute);
    return new BatchResult(
        answers, gathered - start + copyIn, compute, end - gathered - compute - copyIn);
  }

  /** Makes room for outputs that are larger than foreseen; they wait in the worker. */
  private Message grow(long bytes) throws IOException, WorkerLostException {
    if (bytes <= slab.sizeBytes()) {
      throw new ProtocolException("asks for the " + bytes + " bytes that it has");
    }
    return slab.growForOutputs(bytes);
  }

  private Shape shape(List<? extends BatchRequest> requests, int index, int items) {
    Shape first = requests.get(0).inputs().get(index).shape();
    return batches ? first.withFirst(items) : first;
  }

  @Override
  public void stayAwake(boolean awake) {
    awakeNs = awake ? AWAKE_NS : 0;
  }

  /** Kills the worker; a run in progress fails, also those of other lanes. */
  @Override
  public void cancel() {
    process.kill(
        new Loss(Loss.Cause.CANCELLED, "worker process " + process.pid() + " was told to stop"));
  }

  @Override
  public void whenLost(Consumer<String> listener) {
    process.whenLost(loss -> listener.accept(loss.detail()));
  }

  @Override
  public String lossCause() {
    return process.lossCause();
  }

  @Override
  public long processId() {
    return process.pid();
  }

  @Override
  public void close() {
    worker.leave();
    slab.close();
  }
}
