package dev.conveyor.models.device.sim;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.device.PipelineListener;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;

/**
 * Requests that go through two instances, one after the other, as through two steps of an ensemble:
 * what the first gives may stay on its device, and is what the second takes. Not thread-safe.
 */
public final class SimulatedChain implements PipelineListener {

  private final SimulatedModel secondModel;
  private final Tally tally;
  private final Deque<List<SimulatedRequest>> ready = new ArrayDeque<>();
  private int failedInFirst;

  /**
   * Creates a chain.
   *
   * @param secondModel takes as many words as the first gives
   * @param tally listens to the second instance, as this does to the first
   */
  public SimulatedChain(SimulatedModel secondModel, Tally tally) {
    this.secondModel = secondModel;
    this.tally = tally;
  }

  @Override
  public void onResult(List<? extends BatchRequest> requests, BatchResult result) {
    List<SimulatedRequest> next = new ArrayList<>(requests.size());
    for (int i = 0; i < requests.size(); i++) {
      try (SimulatedRequest request = (SimulatedRequest) requests.get(i)) {
        Tensor output = result.outputs().get(i).get(0);
        next.add(SimulatedRequest.of(secondModel, request.batchSize(), request.expected(), output));
      }
    }
    ready.add(next);
  }

  @Override
  public void onFailure(List<? extends BatchRequest> requests, ExecutionException failure) {
    failedInFirst++;
    requests.forEach(request -> ((SimulatedRequest) request).close());
  }

  /**
   * Runs so many batches, as many of them at a time as the instances take. What the first gives is
   * submitted to the second as soon as the host hears of it.
   */
  public void run(
      SimulatedInstance first,
      SimulatedInstance second,
      int batches,
      Supplier<List<SimulatedRequest>> requests) {
    for (int i = 0; i < batches; i++) {
      if (first.pipeline().freeSlots() == 0) {
        handOn(first, second);
      }
      first.pipeline().submit(requests.get());
    }
    while (first.pipeline().inFlight() > 0) {
      handOn(first, second);
    }
    while (second.pipeline().await()) {
      // Until all have ended.
    }
  }

  private void handOn(SimulatedInstance first, SimulatedInstance second) {
    if (second.pipeline().freeSlots() == 0) {
      boolean unused = second.pipeline().await();
    }
    boolean unused = first.pipeline().await();
    List<SimulatedRequest> batch = ready.poll();
    if (batch != null) {
      tally.submitting(batch);
      try {
        second.pipeline().submit(batch);
      } catch (ExecutionException e) {
        tally.refused(batch, e);
      }
    }
  }

  /** Returns the batches that failed in the first instance. */
  public int failedInFirst() {
    return failedInFirst;
  }
}
