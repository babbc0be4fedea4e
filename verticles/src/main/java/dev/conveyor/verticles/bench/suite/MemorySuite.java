package dev.conveyor.verticles.bench.suite;

import dev.conveyor.scheduler.residency.RequestForecast;
import dev.conveyor.scheduler.residency.ResidencyBench;
import java.util.List;
import java.util.Locale;

/**
 * What models that come and go must show: few bytes loaded, and nobody else disturbed.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite.
 */
final class MemorySuite implements Suite {

  private final Lab lab;

  MemorySuite(Lab lab) {
    this.lab = lab;
  }

  @Override
  public List<SuiteRow> rows() {
    return List.of(
        new SuiteRow(
            "200 models, room for 20, Zipf: bytes loaded / the better of two heuristic"
                + " schedules that know the future",
            Target.atMost(1.15, ""),
            MemorySuite::misses),
        new LoadNeighbourRow(lab).row());
  }

  @Override
  public void close() {
    lab.close();
  }

  static Measured misses() {
    var trace = ResidencyBench.ZIPF.generate("zipf", 1);
    var result = ResidencyBench.run(trace, "forecast", RequestForecast::new);
    return new Measured(
        result.overWholeModels(),
        String.format(
            Locale.ROOT,
            "%d requests, %d loads, %.1f GB loaded; %.3f of the lower bound (Belady, every byte a"
                + " page)",
            trace.models().size(),
            result.loads(),
            result.loadedBytes() / 1e9,
            result.overOptimum()));
  }
}
