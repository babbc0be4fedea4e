package dev.conveyor.models.device.sim;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.device.PipelineListener;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Counts what becomes of batches, and compares every answer with the right one.
 *
 * <p>Thread-safe: batches are submitted by one thread and answered on another. Closes the requests
 * of batches that have ended.
 */
public final class Tally implements PipelineListener {

  private final IdentityHashMap<Object, Integer> open = new IdentityHashMap<>();
  private final List<ExecutionException> failures = new ArrayList<>();
  private final @Nullable BiConsumer<SimulatedRequest, Tensor> resident;
  private int sequence;
  private int lastAnswered = -1;
  private int answered;
  private int wrong;
  private int unexpected;
  private int outOfOrder;

  /** Looks at every answer itself. */
  public Tally() {
    this(null);
  }

  /**
   * Creates it.
   *
   * @param resident takes over outputs that stayed on their device, and sees whether they are right
   */
  Tally(@Nullable BiConsumer<SimulatedRequest, Tensor> resident) {
    this.resident = resident;
  }

  /** To be called before a batch is submitted. */
  public synchronized void submitting(List<SimulatedRequest> requests) {
    open.put(requests, sequence++);
  }

  /** To be called when a batch was refused instead of enqueued. */
  public synchronized void refused(List<SimulatedRequest> requests, ExecutionException failure) {
    end(requests, failure);
  }

  @Override
  public synchronized void onResult(List<? extends BatchRequest> requests, BatchResult result) {
    Integer number = open.remove(requests);
    if (number == null) {
      unexpected++;
      return;
    }
    if (number < lastAnswered) {
      outOfOrder++;
    }
    lastAnswered = number;
    for (int i = 0; i < requests.size(); i++) {
      try (SimulatedRequest request = (SimulatedRequest) requests.get(i)) {
        List<Tensor> outputs = result.outputs().get(i);
        if (resident != null && outputs.get(0).isOnDevice()) {
          answered++;
          resident.accept(request, outputs.get(0));
          continue;
        }
        if (request.isAnsweredBy(outputs)) {
          answered++;
        } else {
          wrong++;
        }
        outputs.forEach(Tensor::close);
      }
    }
  }

  @Override
  public synchronized void onFailure(
      List<? extends BatchRequest> requests, ExecutionException failure) {
    end(requests, failure);
  }

  private void end(List<? extends BatchRequest> requests, ExecutionException failure) {
    if (open.remove(requests) == null) {
      unexpected++;
      return;
    }
    failures.add(failure);
    requests.forEach(request -> ((SimulatedRequest) request).close());
  }

  /** Returns the requests that got the right answer. */
  public synchronized int answered() {
    return answered;
  }

  /** Returns the requests that got an answer with wrong data. */
  public synchronized int wrong() {
    return wrong;
  }

  /** Returns how often a batch ended that was not under way: never begun, or ended before. */
  public synchronized int unexpected() {
    return unexpected;
  }

  /** Returns how many batches were answered after one that was submitted later. */
  public synchronized int outOfOrder() {
    return outOfOrder;
  }

  /** Returns the batches of which nothing was heard yet. */
  public synchronized int open() {
    return open.size();
  }

  /** Returns what failed, in order. */
  public synchronized List<ExecutionException> failures() {
    return List.copyOf(failures);
  }
}
