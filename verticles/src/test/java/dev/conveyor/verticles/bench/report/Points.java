package dev.conveyor.verticles.bench.report;

import dev.conveyor.verticles.bench.load.LaneResult;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.HdrHistogram.Histogram;

/** Made-up sweeps. */
final class Points {

  private Points() {}

  /** Throughput that saturates, and latencies that grow with the load. */
  static List<LoadPoint> sweep(List<String> models, List<? extends LoadPattern> patterns) {
    List<LoadPoint> points = new ArrayList<>();
    for (int i = 0; i < patterns.size(); i++) {
      List<LaneResult> lanes = new ArrayList<>();
      for (int m = 0; m < models.size(); m++) {
        Histogram latency = new Histogram(3);
        for (int n = 1; n <= 1_000; n++) {
          double tail = Math.pow(1_000.0 / (1_001 - n), 0.6);
          latency.recordValue((long) (60_000 * (i + 1) * (m + 1) * tail));
        }
        long answered = Math.round(30_000 * (1 - Math.exp(-(i + 1) / 2.0)) / (m + 1));
        Map<String, Long> errors = i == 0 && m == 0 ? Map.of("HTTP 429: queue full", 3L) : Map.of();
        Histogram late = new Histogram(3);
        late.recordValue(50_000);
        lanes.add(
            new LaneResult(models.get(m), 1, answered, errors, latency, late, new Histogram(3)));
      }
      points.add(
          new LoadPoint(
              patterns.get(i),
              1_000_000_000L,
              lanes,
              OptionalDouble.of(0.4),
              OptionalDouble.of(0.3)));
    }
    return points;
  }

  static List<LoadPattern> closed(int... concurrency) {
    List<LoadPattern> patterns = new ArrayList<>();
    for (int c : concurrency) {
      patterns.add(new LoadPattern.Closed(c));
    }
    return patterns;
  }
}
