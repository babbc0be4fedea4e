package dev.conveyor.verticles.metrics;

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

  /** Records one execution. */
  void onBatch(int items, long copyInNs, long computeNs, long copyOutNs);

  /** Why a request failed; Triton's reasons of {@code nv_inference_request_failure}. */
  enum Reason {
    REJECTED,
    CANCELED,
    BACKEND,
    OTHER
  }

  Snapshot snapshot();

  /** Number and sum of durations. */
  record Duration(long count, long ns) {}

  /** Figures of one batch size. */
  record BatchStats(Duration computeInput, Duration computeInfer, Duration computeOutput) {}

  /**
   * A copy of the counters.
   *
   * @param lastInferenceMs milliseconds since the epoch; 0 if there was none
   * @param inferenceCount items answered
   * @param executionCount batches run
   * @param batches by batch size
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
}
