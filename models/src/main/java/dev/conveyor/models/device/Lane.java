package dev.conveyor.models.device;

import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ModelExecutor;
import java.util.List;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * One of the batches that an instance on a GPU has in flight, as an executor of its own: to run a
 * batch is to submit it and to sleep until it is over. The lanes of an instance share its streams
 * and its engine, so while one sleeps for its batch to compute, the next one's is copied in.
 *
 * <p>Thread-confined, but for {@link #cancel}.
 */
final class Lane implements ModelExecutor {

  private final LaneGroup group;
  private final Semaphore over = new Semaphore(0);
  private volatile boolean inFlight;
  private @Nullable BatchResult result;
  private @Nullable ExecutionException failure;
  private boolean closed;

  Lane(LaneGroup group) {
    this.group = group;
  }

  @Override
  public BatchResult execute(List<? extends BatchRequest> requests) {
    result = null;
    failure = null;
    inFlight = true;
    try {
      group.submit(new LaneRun(this, requests));
    } catch (RuntimeException | Error e) {
      inFlight = false;
      throw e;
    }
    over.acquireUninterruptibly();
    inFlight = false;
    BatchResult done = result;
    if (done != null) {
      return done;
    }
    throw failure == null
        ? new ExecutionException(ExecutionException.Kind.RUN, "the batch ended without a result")
        : failure;
  }

  /** Wakes it; called once per batch, by the thread that waits for the device. */
  void end(@Nullable BatchResult outputs, @Nullable ExecutionException why) {
    result = outputs;
    failure = why;
    over.release();
  }

  /** A batch that does not end takes the whole instance with it: nothing behind it can end. */
  @Override
  public void cancel() {
    if (inFlight) {
      group.abandon("an execution on %s was cut".formatted(group.device()));
    }
  }

  @Override
  public String lossCause() {
    return group.isDeviceLost() ? "device_lost" : "";
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      group.leave();
    }
  }
}
