package dev.conveyor.verticles.bench.load;

import java.util.Map;
import org.HdrHistogram.Histogram;

/**
 * What one model did in the measured window.
 *
 * @param items inferences per request
 * @param answered requests answered without an error within the window
 * @param errors requests that failed, by message
 * @param latencyNs time from due to answered
 * @param lateNs time from due to sent: what the load generator itself added in an open loop
 * @param failureNs time from sent to failed
 */
public record LaneResult(
    String model,
    int items,
    long answered,
    Map<String, Long> errors,
    Histogram latencyNs,
    Histogram lateNs,
    Histogram failureNs) {

  public long inferences() {
    return answered * items;
  }

  public long failures() {
    return errors.values().stream().mapToLong(Long::longValue).sum();
  }
}
