package dev.conveyor.scheduler.profile;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

final class CostProfileTest {

  private final CostProfile profile = new CostProfile();

  @Test
  void shouldKnowNothingAtFirstAndCountWarmUpRunsOnlyUntilThereIsBetter() {
    assertThat(profile.isKnown()).isFalse();
    assertThat(profile.predictNs(4)).isZero();

    profile.record(4, 9000);
    assertThat(profile.isKnown()).isTrue();
    assertThat(profile.predictNs(4)).isEqualTo(9000);
    profile.record(4, 5000);
    profile.record(4, 1000);

    assertThat(profile.predictNs(4)).isEqualTo(1000);
    assertThat(profile.predictTailNs(4)).isEqualTo(1000);
  }

  @Test
  void shouldFollowTheMeanAndKeepTheWorstOfTheLast32() {
    learn(1, 1000, 1);
    learn(1, 4000, 1);
    learn(1, 1000, 31);

    assertThat(profile.predictTailNs(1)).isEqualTo(4000);
    assertThat(profile.predictNs(1)).isCloseTo(1000, Percentage.withPercentage(10));
    learn(1, 1000, 1);
    assertThat(profile.predictTailNs(1)).isLessThan(1100);

    learn(1, 2000, 40);
    assertThat(profile.predictNs(1)).isCloseTo(2000, Percentage.withPercentage(1));
  }

  @Test
  void shouldInterpolateBetweenSizesAndScaleBeyondThem() {
    learn(4, 4000, 3);
    learn(8, 6000, 3);

    assertThat(profile.predictNs(6)).isEqualTo(5000);
    assertThat(profile.predictNs(16)).isEqualTo(12000);
    assertThat(profile.predictNs(1)).isEqualTo(4000);
  }

  @Test
  void shouldNeverPredictALargerBatchToBeFaster() {
    learn(2, 5000, 3);
    learn(4, 3000, 3);

    assertThat(profile.predictNs(4)).isEqualTo(5000);
    assertThat(profile.predictNs(3)).isEqualTo(5000);
  }

  @Property(tries = 300)
  void shouldBeMonotoneAndCoverTheMeanWithTheTail(
      @ForAll @Size(min = 1, max = 60) List<@IntRange(min = 1, max = 300) Integer> sizes,
      @ForAll @IntRange(min = 1, max = 1000) int seed) {
    CostProfile learned = new CostProfile();
    for (int i = 0; i < sizes.size(); i++) {
      for (int run = 0; run < 4; run++) {
        learned.record(sizes.get(i), 1 + (long) seed * (i * 7919 + run * 104729) % 100_000);
      }
    }

    long mean = 0;
    long tail = 0;
    for (int size = 1; size <= 400; size++) {
      assertThat(learned.predictNs(size)).isGreaterThanOrEqualTo(mean);
      assertThat(learned.predictTailNs(size)).isGreaterThanOrEqualTo(tail);
      mean = learned.predictNs(size);
      tail = learned.predictTailNs(size);
      assertThat(tail).isGreaterThanOrEqualTo(mean);
    }
  }

  @Property
  void shouldPutEverySizeIntoTheSmallestBucketThatHoldsIt(
      @ForAll @IntRange(min = 1, max = 1 << 20) int items) {
    int bucket = CostProfile.bucket(items);

    assertThat(CostProfile.size(bucket)).isBetween(items, items + items / 8);
    if (bucket > 0) {
      assertThat(CostProfile.size(bucket - 1)).isLessThan(items);
    }
  }

  private void learn(int items, long ns, int runs) {
    for (int i = profile.predictNs(items) == 0 || runs == 3 ? -2 : 0; i < runs; i++) {
      profile.record(items, ns);
    }
  }
}
