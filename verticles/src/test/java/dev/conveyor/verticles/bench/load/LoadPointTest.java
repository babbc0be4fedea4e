package dev.conveyor.verticles.bench.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.Test;

class LoadPointTest {

  @Test
  void shouldMergeHistogramsWithoutChangingTheParts() {
    Histogram fast = new Histogram(3);
    fast.recordValueWithCount(1_000, 99);
    Histogram slow = new Histogram(3_600_000_000_000L, 3);
    slow.recordValue(5_000_000_000L);

    Histogram all = LoadPoint.merged(List.of(fast, slow));

    assertThat(all.getTotalCount()).isEqualTo(100);
    assertThat(all.getValueAtPercentile(99)).isEqualTo(1_000);
    assertThat(all.getMaxValue()).isBetween(4_995_000_000L, 5_005_000_000L);
    assertThat(fast.getTotalCount()).isEqualTo(99);
  }

  @Test
  void shouldAddModelsUpAndDivideCpuTimeByInferences() {
    LoadPoint point =
        new LoadPoint(
            new LoadPattern.Closed(1),
            2_000_000_000L,
            List.of(lane("a", 4, 100, Map.of("x", 1L)), lane("b", 1, 600, Map.of("x", 2L))),
            OptionalDouble.of(0.5),
            OptionalDouble.empty());

    assertThat(point.inferences()).isEqualTo(1_000);
    assertThat(point.inferencesPerSecond()).isCloseTo(500, within(1e-9));
    assertThat(point.serverCpuMicrosPerInference().getAsDouble()).isCloseTo(500, within(1e-9));
    assertThat(point.clientCpuMicrosPerInference()).isEmpty();
    assertThat(point.errors()).containsExactly(Map.entry("x", 3L));
  }

  @Test
  void shouldHaveNoCpuTimePerInferenceWithoutInferences() {
    LoadPoint point =
        new LoadPoint(
            new LoadPattern.Closed(1),
            1,
            List.of(lane("a", 1, 0, Map.of())),
            OptionalDouble.of(1),
            OptionalDouble.empty());

    assertThat(point.serverCpuMicrosPerInference()).isEmpty();
  }

  private static LaneResult lane(String model, int items, long answered, Map<String, Long> errors) {
    return new LaneResult(
        model, items, answered, errors, new Histogram(3), new Histogram(3), new Histogram(3));
  }
}
