package dev.conveyor.scheduler.profile;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
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
    assertThat(profile.predictNs(8)).isEqualTo(18_000);
    profile.record(4, 5000);
    profile.record(4, 1000);

    assertThat(profile.predictNs(4)).isEqualTo(1000);
    assertThat(profile.predictTailNs(4)).isEqualTo(1000);
  }

  @Test
  void shouldKeepTheMedianAndTheWorstOfTheLast64() {
    learn(1, 1000, 33);
    learn(1, 4000, 1);
    learn(1, 1000, 63);

    assertThat(profile.predictTailNs(1)).isEqualTo(4000);
    assertThat(profile.predictNs(1, 0.999)).isEqualTo(4000);
    assertThat(profile.predictNs(1, 0.95)).isEqualTo(1000);
    assertThat(profile.predictNs(1)).isEqualTo(1000);
    assertThat(profile.marginNs(1)).isZero();
    // One run more, and those after which predictions are worked out anew.
    learn(1, 1000, 8);
    assertThat(profile.predictTailNs(1)).isEqualTo(1000);
  }

  @Test
  void shouldRelearnAfterThreeSlowRunsButNotAfterTwo() {
    learn(1, 1000, 40);
    learn(1, 2000, 2);
    assertThat(profile.predictNs(1)).isEqualTo(1000);
    assertThat(profile.snapshot().relearned()).isZero();

    learn(1, 2000, 1);
    assertThat(profile.predictNs(1)).isEqualTo(2000);
    assertThat(profile.snapshot().relearned()).isEqualTo(1);
  }

  @Test
  void shouldRelearnAfterEightFastRunsButNotAfterSeven() {
    learn(1, 2000, 40);
    learn(1, 1000, 7);
    assertThat(profile.predictTailNs(1)).isEqualTo(2000);
    assertThat(profile.snapshot().relearned()).isZero();

    learn(1, 1000, 1);
    assertThat(profile.predictTailNs(1)).isEqualTo(1000);
    assertThat(profile.predictNs(1)).isEqualTo(1000);
    assertThat(profile.snapshot().relearned()).isEqualTo(1);
  }

  @Test
  void shouldFollowADriftOfAllSizesOnceItIsSeenToPredictBetter() {
    learnEightSizes(1, 40);
    for (int items = 1; items <= 3; items++) {
      profile.record(items, 1200L * items);
    }
    assertThat(profile.predictNs(8)).isEqualTo(8000);

    profile.record(4, 4800);
    assertThat(profile.predictNs(8)).isCloseTo(9600, Percentage.withPercentage(1));
    assertThat(profile.predictTailNs(8)).isCloseTo(9600, Percentage.withPercentage(1));
    assertThat(profile.snapshot().sizes().get(7).predictedNs())
        .isCloseTo(9600, Percentage.withPercentage(1));
    assertThat(profile.snapshot().relearned()).isZero();

    learnEightSizes(1, 2);
    assertThat(profile.predictNs(8)).isEqualTo(8000);
  }

  @Test
  void shouldNotCountOnADriftToTheBetterWhereARunIsToBeBounded() {
    learnEightSizes(1, 40);
    learnEightSizes(0.8, 2);

    assertThat(profile.predictNs(8)).isCloseTo(6400, Percentage.withPercentage(1));
    assertThat(profile.predictTailNs(8)).isEqualTo(8000);
  }

  @Property(tries = 50)
  void shouldNotTakeIndependentNoiseForADrift(@ForAll long seed) {
    Random random = new Random(seed);
    double without = 0;
    double with = 0;
    Drift drift = new Drift();
    for (int i = 0; i < 2000; i++) {
      double run = Math.exp(0.1 * random.nextGaussian());
      with += Math.abs(drift.factor() / run - 1);
      without += Math.abs(1 / run - 1);
      drift.add(run);
    }
    assertThat(with).isLessThan(1.03 * without);
  }

  private void learnEightSizes(double factor, int rounds) {
    for (int i = 0; i < rounds; i++) {
      for (int items = 1; items <= 8; items++) {
        profile.record(items, (long) (factor * 1000 * items));
      }
    }
  }

  @Test
  void shouldNotTakeAFewOutliersForAChange() {
    for (int i = 0; i < 100; i++) {
      learn(1, i % 3 == 2 ? 10_000 : 1000, 1);
    }

    assertThat(profile.predictNs(1)).isEqualTo(1000);
    assertThat(profile.snapshot().relearned()).isZero();
  }

  @Test
  void shouldInterpolateBetweenSizesAndFollowTheLineBeyondThem() {
    learn(4, 4000, 3);
    learn(8, 6000, 3);

    assertThat(profile.predictNs(6)).isEqualTo(5000);
    // 500 per item and 2000: a quarter more at twice the largest size, an eighth halfway.
    assertThat(profile.predictNs(16)).isCloseTo(12_500, Percentage.withPercentage(0.1));
    assertThat(profile.predictNs(12)).isCloseTo(9000, Percentage.withPercentage(0.1));
    assertThat(profile.predictNs(1)).isCloseTo(3125, Percentage.withPercentage(0.1));
    assertThat(profile.predictNs(3)).isEqualTo(4000);
  }

  @Test
  void shouldTakeOneSizeForProportionalAboveAndForConstantBelow() {
    learn(4, 4000, 3);

    assertThat(profile.predictNs(8)).isEqualTo(10_000);
    assertThat(profile.predictNs(1)).isEqualTo(4000);
  }

  @Test
  void shouldNeverPredictALargerBatchToBeFaster() {
    learn(2, 5000, 3);
    learn(4, 3000, 3);

    assertThat(profile.predictNs(2)).isEqualTo(profile.predictNs(4)).isBetween(3000L, 5000L);
    assertThat(profile.predictTailNs(4)).isEqualTo(5000);
  }

  @Test
  void shouldBelieveWhatRanRecentlyWhereSizesContradictEachOther() {
    learn(1, 5000, 64);
    learn(4, 1000, 4096);

    assertThat(profile.predictNs(4)).isCloseTo(1000, Percentage.withPercentage(5));
    assertThat(profile.predictTailNs(4)).isLessThan(1100);
  }

  @Test
  void shouldTakeSeedsAsTheyAre() {
    profile.seed(1, 700);
    assertThat(profile.predictNs(1)).isEqualTo(700);
    profile.record(1, 900);

    assertThat(profile.predictNs(1)).isEqualTo(800);
    assertThat(profile.snapshot().seeded()).isEqualTo(1);
    assertThat(profile.snapshot().accuracy().scored()).isEqualTo(1);
  }

  @Test
  void shouldPredictAboutTheSameWhenSeededWithItsOwnSamples() {
    Random random = new Random(7);
    for (int run = 0; run < 2000; run++) {
      int size = 1 + random.nextInt(24);
      profile.record(size, noisy(1e5 * size + 1e6, random));
    }
    CostProfile copy = new CostProfile();
    profile.snapshot().samples().forEach(sample -> copy.seed(sample.items(), sample.busyNs()));

    for (int size = 1; size <= 24; size++) {
      assertThat((double) copy.predictNs(size))
          .isCloseTo((double) profile.predictNs(size), Percentage.withPercentage(3));
      assertThat(copy.predictTailNs(size)).isGreaterThanOrEqualTo(copy.predictNs(size));
    }
  }

  @Test
  void shouldNotTakeTheOrderOfSeedsForAChange() {
    for (long ns : new long[] {1000, 1010, 1020, 1030, 5000, 6000, 7000}) {
      profile.seed(1, ns);
    }

    assertThat(profile.predictNs(1)).isEqualTo(1030);
    assertThat(profile.snapshot().sizes().get(0).samples()).isEqualTo(7);
    assertThat(profile.snapshot().relearned()).isZero();
  }

  @Test
  void shouldBelieveOfASizeThatHasLongNotRunWhatTheOthersSay() {
    for (int size = 1; size <= 4; size++) {
      learn(size, 1000 + 100 * size, 20);
    }
    learn(8, 6000, 20);
    assertThat(profile.predictNs(8)).isEqualTo(6000);

    for (int run = 0; run < 1000; run++) {
      profile.record(1 + run % 4, 1100 + 100 * (run % 4));
    }
    assertThat(profile.predictNs(8)).as("not yet").isEqualTo(6000);
    for (int run = 0; run < 2000; run++) {
      profile.record(1 + run % 4, 1100 + 100 * (run % 4));
    }

    assertThat(profile.predictNs(8)).isBetween(1800L, (long) (1.3 * 1800));
    for (int run = 0; run < 3; run++) {
      profile.record(8, 6000);
    }
    assertThat(profile.predictNs(8)).as("it is slow, after all").isEqualTo(6000);
  }

  @Test
  void shouldNotReduceASizeThatDoesNotRunMoreEachTimeThatAnotherGoesUpAndDown() {
    learn(1, 1000, 20);
    learn(8, 8000, 20);
    for (int i = 0; i < 10; i++) {
      learn(1, 1600, 10);
      learn(1, 1000, 20);
    }
    assertThat(profile.snapshot().relearned()).isGreaterThanOrEqualTo(20);
    assertThat(profile.predictNs(8)).isEqualTo(8000);

    learn(1, 500, 20);
    assertThat(profile.predictNs(8)).isEqualTo(4000);
    learn(2, 600, 20);
    assertThat(profile.predictNs(8)).as("reduced once, whoever tells").isEqualTo(4000);
  }

  @Test
  void shouldCompareRunsToTheMedianOfStoredOnesAndNotToTheFirstOfThem() {
    for (int i = 0; i < 16; i++) {
      profile.seed(1, 500 + 100 * i);
      profile.seed(8, 8000);
    }
    learn(1, 1200, 20);
    learn(8, 8000, 1);
    learn(1, 600, 20);

    assertThat(profile.predictNs(8)).isCloseTo(4000, Percentage.withPercentage(10));
  }

  @Test
  void shouldSurviveRunsOfNoLength() {
    learn(8, 8000, 20);
    learn(1, 0, 40);
    learn(1, 1000, 20);
    learn(1, 0, 40);

    assertThat(profile.predictNs(8)).isBetween(0L, 8000L);
    learn(8, 8000, 20);
    assertThat(profile.predictNs(8)).isEqualTo(8000);
  }

  @Test
  void shouldTellConcurrenciesApartOnceTheyVary() {
    learn(1, 1000, 20);
    assertThat(profile.snapshot().byConcurrency()).isEmpty();
    for (int i = 0; i < 12; i++) {
      profile.record(1, 1900, 2);
    }

    assertThat(profile.predictNs(1, 0.5, 1)).isEqualTo(1000);
    assertThat(profile.predictNs(1, 0.5, 2)).isEqualTo(1900);
    assertThat(profile.soloNs(1)).isEqualTo(1000);
    assertThat(profile.predictNs(1, 0.5, 3)).isEqualTo(profile.predictNs(1));
    assertThat(profile.snapshot().byConcurrency())
        .extracting(ProfileSnapshot.Concurrency::batches)
        .containsExactly(1, 2);
  }

  @Property(tries = 300)
  void shouldBeMonotoneInSizeAndQuantile(
      @ForAll @Size(min = 1, max = 60) List<@IntRange(min = 1, max = 300) Integer> sizes,
      @ForAll @IntRange(min = 1, max = 1000) int seed) {
    CostProfile learned = new CostProfile();
    for (int i = 0; i < sizes.size(); i++) {
      for (int run = 0; run < 4; run++) {
        learned.record(sizes.get(i), 1 + (long) seed * (i * 7919 + run * 104729) % 100_000);
      }
    }

    long[] before = new long[CostTable.LEVELS.length];
    for (int size = 1; size <= 700; size++) {
      long lower = 0;
      for (int level = 0; level < CostTable.LEVELS.length; level++) {
        long ns = learned.predictNs(size, CostTable.LEVELS[level]);
        assertThat(ns).isGreaterThanOrEqualTo(before[level]).isGreaterThanOrEqualTo(lower);
        before[level] = ns;
        lower = ns;
      }
    }
  }

  @Property(tries = 60)
  void shouldPredictNoisyLinearCostsWithinFivePercentAndCoverTheTail(
      @ForAll @DoubleRange(min = 0, max = 1e6) double alpha,
      @ForAll @DoubleRange(min = 1e5, max = 1e7) double beta,
      @ForAll @IntRange(min = 1, max = 1_000_000) int seed) {
    Random random = new Random(seed);
    CostProfile learned = new CostProfile();
    for (int run = 0; run < 3000; run++) {
      int size = 1 + random.nextInt(40);
      learned.record(size, noisy(alpha * size + beta, random));
    }

    assertThat(learned.snapshot().accuracy().medianError()).isLessThan(0.05);
    assertThat(learned.snapshot().accuracy().shareUnderP99Ever()).isGreaterThan(0.97);
    for (int size = 1; size <= 40; size++) {
      assertThat((double) learned.predictNs(size))
          .isCloseTo(alpha * size + beta, Percentage.withPercentage(5));
    }
  }

  @Property(tries = 60)
  void shouldRecoverFromAChangeOfCostWithinSixteenRunsOfASize(
      @ForAll @DoubleRange(min = 1.5, max = 8) double factor,
      @ForAll boolean slower,
      @ForAll @IntRange(min = 1, max = 1_000_000) int seed) {
    Random random = new Random(seed);
    double after = slower ? 1e6 * factor : 1e6 / factor;
    CostProfile learned = new CostProfile();
    for (int run = 0; run < 200; run++) {
      learned.record(4, noisy(1e6, random));
    }
    for (int run = 0; run < 16; run++) {
      learned.record(4, noisy(after, random));
    }

    assertThat((double) learned.predictNs(4)).isCloseTo(after, Percentage.withPercentage(15));
  }

  @Property
  void shouldPutEverySizeIntoTheSmallestBucketThatHoldsIt(
      @ForAll @IntRange(min = 1, max = 1 << 20) int items) {
    int bucket = SizeBuckets.of(items);

    assertThat(SizeBuckets.size(bucket)).isBetween(items, items + items / 8);
    if (bucket > 0) {
      assertThat(SizeBuckets.size(bucket - 1)).isLessThan(items);
    }
  }

  /** Of 100 runs one takes half as long again; the others vary by 4 %. */
  private static long noisy(double ns, Random random) {
    double factor = 1 + 0.04 * random.nextGaussian();
    return (long) (ns * (random.nextInt(100) == 0 ? 1.5 : Math.max(0.85, factor)));
  }

  private void learn(int items, long ns, int runs) {
    for (int i = profile.predictNs(items) == 0 || runs == 3 ? -2 : 0; i < runs; i++) {
      profile.record(items, ns);
    }
  }

  @Test
  void shouldTakeWhatItWasSeededWithForRunsAloneWhileNoneWere() {
    CostProfile profile = new CostProfile();
    for (int i = 0; i < 8; i++) {
      profile.seed(4, 10_000_000);
    }
    for (int i = 0; i < 20; i++) {
      profile.record(4, 18_000_000, 2);
    }
    assertThat(profile.predictNs(4)).isGreaterThan(15_000_000);
    assertThat(profile.soloNs(4)).isLessThan(13_000_000).isPositive();
    assertThat(new CostProfile().soloNs(4)).isZero();
  }
}
