package dev.conveyor.scheduler.admission;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

final class TokenBucketTest {

  @Test
  void shouldLetABurstThroughAndThenOneAtATime() {
    TokenBucket bucket = new TokenBucket(1000, 2, T0);

    assertThat(bucket.tryTake(T0)).isZero();
    assertThat(bucket.tryTake(T0)).isZero();
    assertThat(bucket.tryTake(T0)).isCloseTo(MS, within(2L));
    assertThat(bucket.tryTake(T0 + MS - 3)).isBetween(1L, 5L);
    assertThat(bucket.tryTake(T0 + MS)).isZero();
    assertThat(bucket.tryTake(T0 + MS)).isPositive();
  }

  @Test
  void shouldHoldNoMoreThanItsBurst() {
    TokenBucket bucket = new TokenBucket(1000, 2, T0);

    assertThat(bucket.tryTake(T0 + 500 * MS)).isZero();
    assertThat(bucket.tryTake(T0 + 500 * MS)).isZero();
    assertThat(bucket.tryTake(T0 + 500 * MS)).isPositive();
  }

  @Test
  void shouldNotGiveTokensForTimeThatStepsBack() {
    TokenBucket bucket = new TokenBucket(1000, 1, T0);

    assertThat(bucket.tryTake(T0 + 2 * MS)).isZero();
    assertThat(bucket.tryTake(T0 + MS)).isPositive();
    assertThat(bucket.tryTake(T0 + 3 * MS)).isZero();
  }

  @Test
  void shouldRefuseBucketsThatNeverFill() {
    assertThatThrownBy(() -> new TokenBucket(0, 1, T0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new TokenBucket(1, 0.5, T0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Property(tries = 300)
  void shouldStayWithinBurstAndRateOverEverySpan(
      @ForAll @DoubleRange(min = 0.1, max = 1e6) double perSecond,
      @ForAll @DoubleRange(min = 1, max = 50) double burst,
      @ForAll @Size(min = 1, max = 200) List<@LongRange(min = 0, max = 20_000_000) Long> gapsNs) {
    TokenBucket bucket = new TokenBucket(perSecond, burst, T0);
    List<Long> takenNs = new ArrayList<>();
    long nowNs = T0;
    for (long gapNs : gapsNs) {
      nowNs += gapNs;
      if (bucket.tryTake(nowNs) == 0) {
        takenNs.add(nowNs);
      }
    }

    for (int from = 0; from < takenNs.size(); from++) {
      for (int to = from; to < takenNs.size(); to++) {
        double allowed = burst + perSecond * (takenNs.get(to) - takenNs.get(from)) / 1e9;
        assertThat((double) (to - from + 1)).isLessThanOrEqualTo(allowed + 1e-6);
      }
    }
  }

  @Property(tries = 300)
  void shouldLetInWhoWaitsAsLongAsItWasTold(
      @ForAll @DoubleRange(min = 0.1, max = 1e6) double perSecond,
      @ForAll @DoubleRange(min = 1, max = 5) double burst) {
    TokenBucket bucket = new TokenBucket(perSecond, burst, T0);
    long waitNs = 0;
    while (waitNs == 0) {
      waitNs = bucket.tryTake(T0);
    }

    // Doubles hold a time of seconds to within less than this.
    assertThat(bucket.tryTake(T0 + waitNs + 10)).isZero();
  }
}
