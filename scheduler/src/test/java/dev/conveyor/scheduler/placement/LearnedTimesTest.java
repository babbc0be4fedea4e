package dev.conveyor.scheduler.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.placement.ModelNeed.BatchTimes;
import dev.conveyor.scheduler.profile.CostProfile;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

final class LearnedTimesTest {

  private static final Percentage CLOSE = Percentage.withPercentage(1);

  private static CostProfile profile(int concurrency, double stretch, CostProfile into) {
    for (int run = 0; run < 64; run++) {
      for (int items : new int[] {1, 4, 8}) {
        into.record(items, (long) (stretch * (1_000_000 + 1_000_000L * items)), concurrency);
      }
    }
    return into;
  }

  @Test
  void shouldGoStraightFromSizeToSizeThatHasRun() {
    BatchTimes times = LearnedTimes.of(profile(1, 1, new CostProfile()).snapshot()).orElseThrow();

    assertThat(times.ns(1)).isCloseTo(2e6, CLOSE);
    assertThat(times.ns(2)).isCloseTo(3e6, CLOSE);
    assertThat(times.ns(8)).isCloseTo(9e6, CLOSE);
    assertThat(times.ns(16)).isCloseTo(18e6, CLOSE);
  }

  @Test
  void shouldCountWhatADeviceDoesWhenSeveralBatchesRunAtOnce() {
    CostProfile profile = profile(3, 1.5, profile(1, 1, new CostProfile()));

    BatchTimes times = LearnedTimes.of(profile.snapshot()).orElseThrow();

    assertThat(times.ns(8)).isCloseTo(9e6 * 1.5 / 3, CLOSE);
  }

  @Test
  void shouldKnowNothingOfAModelThatNeverRan() {
    assertThat(LearnedTimes.of(new CostProfile().snapshot())).isEmpty();
  }
}
