package dev.conveyor.scheduler.residency;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** The policy that serves, against what knows the future. Deterministic. */
final class ResidencyBenchTest {

  @Test
  void shouldLoadFewBytesMoreThanIfTheFutureWereKnown() {
    ResidencyTrace trace = ResidencyBench.ZIPF.generate("zipf", 1);
    var forecast = ResidencyBench.run(trace, "forecast", RequestForecast::new);
    var gdsf = ResidencyBench.run(trace, "gdsf", GreedyDualSizeFrequency::new);
    var lru = ResidencyBench.run(trace, "lru", LeastRecentlyUsed::new);
    assertThat(forecast.overWholeModels()).isLessThan(1.15);
    assertThat(forecast.overOptimum()).isGreaterThan(1);
    assertThat(forecast.loadedBytes()).isLessThan(gdsf.loadedBytes());
    assertThat(gdsf.loadedBytes()).isLessThan(lru.loadedBytes());
  }

  @Test
  void shouldBeBeladysOptimumIfSizesAreEqual() {
    ResidencyTrace trace = new ResidencyTrace.Shape(50, 5_000, 0.9, 1, 0, 0).generate("equal", 3);
    long budget = trace.budgetBytes(7);
    assertThat(OfflineOracle.optimumBytes(trace, budget))
        .isEqualTo(OfflineOracle.wholeModelBytes(trace, budget));
  }

  @Test
  void shouldKnowTheOptimumOfATraceByHand() {
    // Two fit. Belady: load a, b; c replaces b, asked for last; a hits; b replaces c; a hits.
    ResidencyTrace trace =
        new ResidencyTrace("by hand", List.of(10L, 10L, 10L), List.of(0, 1, 2, 0, 1, 0));
    assertThat(OfflineOracle.optimumBytes(trace, 20)).isEqualTo(40);
    assertThat(OfflineOracle.wholeModelBytes(trace, 20)).isEqualTo(40);
    // With half of it more, the bound keeps half a model.
    assertThat(OfflineOracle.optimumBytes(trace, 25)).isEqualTo(35);
    assertThat(OfflineOracle.optimumBytes(trace, 30)).isEqualTo(30);
  }

  @Test
  void shouldNeverBeUndercutByASchedule() {
    for (long seed = 0; seed < 5; seed++) {
      ResidencyTrace trace =
          new ResidencyTrace.Shape(40, 3_000, 1, 2, 1.5, 0.5).generate("random", seed);
      var result = ResidencyBench.run(trace, "lru", LeastRecentlyUsed::new);
      assertThat(result.optimumBytes()).isLessThanOrEqualTo(result.wholeModelBytes());
      assertThat(result.wholeModelBytes()).isLessThanOrEqualTo(result.loadedBytes());
    }
  }

  @Test
  void shouldMakeTheLoadThatItsShapeDescribes() {
    ResidencyTrace trace = new ResidencyTrace.Shape(20, 40_000, 1, 1, 0, 0).generate("t", 1);
    long first = trace.models().stream().filter(m -> m == 0).count();
    long tenth = trace.models().stream().filter(m -> m == 9).count();
    assertThat(first / (double) tenth).isBetween(8.5, 11.5);
    assertThat(trace.bytes()).containsOnly(100_000_000L);
  }
}
