package dev.conveyor.verticles.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

final class LatencyHistogramTest {

  private final LatencyHistogram histogram = new LatencyHistogram();

  @Test
  void shouldCountAValueOnABoundBelowItAndTheNextValueAbove() {
    for (int bound = 0; bound < LatencyBuckets.boundCount(); bound++) {
      LatencyHistogram one = new LatencyHistogram();
      one.record(LatencyBuckets.boundNs(bound));
      one.record(LatencyBuckets.boundNs(bound) + 1);

      assertThat(one.snapshot().inBucket(bound)).as("le %s", bound).isEqualTo(1);
      assertThat(one.snapshot().inBucket(bound + 1)).as("le %s", bound + 1).isEqualTo(1);
    }
  }

  @Test
  void shouldUseTheOneTwoFiveSeriesFromTenMicrosecondsToAMinute() {
    assertThat(LatencyBuckets.label(0)).isEqualTo("0.00001");
    assertThat(LatencyBuckets.label(1)).isEqualTo("0.00002");
    assertThat(LatencyBuckets.label(2)).isEqualTo("0.00005");
    assertThat(LatencyBuckets.label(LatencyBuckets.boundCount() - 2)).isEqualTo("20");
    assertThat(LatencyBuckets.label(LatencyBuckets.boundCount() - 1)).isEqualTo("60");
  }

  @Test
  void shouldKeepExtremesInTheOuterBuckets() {
    histogram.record(-5);
    histogram.record(0);
    histogram.record(Long.MAX_VALUE);

    LatencySnapshot snapshot = histogram.snapshot();
    assertThat(snapshot.inBucket(0)).isEqualTo(2);
    assertThat(snapshot.inBucket(LatencyBuckets.boundCount())).isEqualTo(1);
    assertThat(snapshot.quantileNs(1)).hasValue(60e9);
  }

  @Test
  void shouldHaveNoQuantileWhenNothingWasRecorded() {
    assertThat(LatencySnapshot.EMPTY.quantileNs(0.5)).isEmpty();
  }

  @Test
  void shouldSubtractWhatWasThereBefore() {
    histogram.record(1_000_000);
    LatencySnapshot before = histogram.snapshot();
    histogram.record(40_000_000);

    LatencySnapshot recent = histogram.snapshot().since(before);
    assertThat(recent.count()).isEqualTo(1);
    assertThat(recent.sumNs()).isEqualTo(40_000_000);
    assertThat(recent.quantileNs(0.01).orElseThrow()).isCloseTo(40e6, within(6e6));
  }

  @Property
  void shouldPutEveryValueBetweenTheEndsOfItsBucket(
      @ForAll @LongRange(min = 1, max = 60_000_000_000L) long ns) {
    int fine = LatencyBuckets.fineIndex(ns);
    assertThat((double) ns).isGreaterThan(LatencyBuckets.fineLowerNs(fine));
    assertThat((double) ns).isLessThanOrEqualTo(LatencyBuckets.fineLowerNs(fine + 1));
  }

  @Property
  void shouldEstimateQuantilesWithinOneFineBucket(
      @ForAll @Size(min = 1, max = 300)
          List<@LongRange(min = 11_000, max = 20_000_000_000L) Long> valuesNs) {
    LatencyHistogram own = new LatencyHistogram();
    valuesNs.forEach(own::record);
    long[] sorted = valuesNs.stream().mapToLong(Long::longValue).sorted().toArray();
    for (double q : new double[] {0.5, 0.95, 0.99, 1}) {
      double exact = sorted[(int) Math.ceil(q * sorted.length) - 1];
      assertThat(own.snapshot().quantileNs(q).orElseThrow()).isCloseTo(exact, within(exact * 0.16));
    }
  }
}
