package dev.conveyor.verticles.metrics;

import dev.conveyor.models.RefusalReason;
import java.util.Map;

/**
 * What one version of a model did since it was loaded.
 *
 * <p>Thread-safe. Written once per request by front ends (refusals) and once per batch by
 * instances; read by the statistics API and by Prometheus. Durations are nanoseconds.
 */
public interface ModelStats {

  /**
   * Records a request that was answered with outputs.
   *
   * @param items its batch size
   * @param queueNs from arrival to the start of its batch, preprocessing left out
   * @param totalNs from arrival to answer
   */
  void onSuccess(int items, long preprocessNs, long queueNs, long totalNs);

  /** Records a request that failed in the backend. */
  void onFailure(Reason reason, long totalNs);

  /** Records a request that was turned away though it may do better later. */
  default void onRefused(RefusalReason reason) {}

  /** Returns how many requests were turned away, by reason. */
  default Map<RefusalReason, Long> refusals() {
    return Map.of();
  }

  /**
   * Records that a request was answered of a model with a latency objective.
   *
   * @param inside whether that was in time
   */
  default void onObjective(boolean inside) {}

  /** Returns what became of requests; only of use for a model with a latency objective. */
  default ObjectiveCounts objective() {
    return ObjectiveCounts.NONE;
  }

  /** What happens to frames of streams. A frame is received once, and has one other end. */
  enum FrameEvent {
    RECEIVED,
    ANSWERED,
    FAILED,
    DROPPED,
    ABANDONED
  }

  /** Counts a frame of a stream. */
  default void onFrame(FrameEvent event) {}

  /** Returns how many frames of streams there were; empty if there were none. */
  default Map<FrameEvent, Long> frames() {
    return Map.of();
  }

  /** Records one execution of {@code items} requests of one item each. */
  void onBatch(int items, long copyInNs, long computeNs, long copyOutNs);

  /**
   * Records one execution.
   *
   * @param requests requests it answered; each of them spent the whole of the three durations
   * @param items sum of their batch sizes
   */
  default void onBatch(int requests, int items, long copyInNs, long computeNs, long copyOutNs) {
    onBatch(items, copyInNs, computeNs, copyOutNs);
  }

  /** Why a request failed; Triton's reasons of {@code nv_inference_request_failure}. */
  enum Reason {
    REJECTED,
    CANCELED,
    BACKEND,
    OTHER
  }

  Snapshot snapshot();

  /** Returns how the durations are distributed. */
  default Histograms histograms() {
    return Histograms.EMPTY;
  }

  /** Number and sum of durations. */
  record Duration(long count, long ns) {
    public static final Duration NONE = new Duration(0, 0);
  }

  /** Figures of one batch size. */
  record BatchStats(Duration computeInput, Duration computeInfer, Duration computeOutput) {}

  /**
   * A copy of the counters.
   *
   * @param lastInferenceMs milliseconds since the epoch; 0 if there was none
   * @param inferenceCount items answered
   * @param executionCount batches run
   * @param computeInput time that requests spent in it: every request of a batch counts in full, as
   *     in Triton; so for the two below
   * @param batches by batch size; here each execution counts once
   */
  record Snapshot(
      long lastInferenceMs,
      long inferenceCount,
      long executionCount,
      Duration success,
      Duration fail,
      Duration queue,
      Duration computeInput,
      Duration computeInfer,
      Duration computeOutput,
      Map<Integer, BatchStats> batches,
      Map<Reason, Long> failures) {}

  /**
   * Distributions of durations.
   *
   * @param queue per request
   * @param preprocess per request that was preprocessed
   * @param copyIn per execution, as the two below
   * @param request per answered request, from arrival to answer
   */
  record Histograms(
      LatencySnapshot queue,
      LatencySnapshot preprocess,
      LatencySnapshot copyIn,
      LatencySnapshot compute,
      LatencySnapshot copyOut,
      LatencySnapshot request) {

    public static final Histograms EMPTY =
        new Histograms(
            LatencySnapshot.EMPTY,
            LatencySnapshot.EMPTY,
            LatencySnapshot.EMPTY,
            LatencySnapshot.EMPTY,
            LatencySnapshot.EMPTY,
            LatencySnapshot.EMPTY);
  }
}
