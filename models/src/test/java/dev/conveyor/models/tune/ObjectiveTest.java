package dev.conveyor.models.tune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class ObjectiveTest {

  private static final Objective OBJECTIVE = new Objective(10e6);

  private static Measurement run(double perSecond, double p99Ms, long errors) {
    return new Measurement(
        new Setting(1, 1, (int) perSecond, 0, 1, "cpu"),
        perSecond,
        p99Ms * 1e6,
        errors,
        Duration.ofSeconds(1));
  }

  @Test
  void shouldWantMoreForWeightsThatAreInMemoryTwice() {
    Setting idle = new Setting(1, 1, 2, 8, 0, 1, "cpu");
    Objective objective = new Objective(50e6);
    Measurement usual =
        new Measurement(idle.withoutIdleThreads(), 100, 10e6, 0, Duration.ofSeconds(1));
    Measurement same = new Measurement(idle, 100, 10e6, 0, Duration.ofSeconds(1));
    Measurement better = new Measurement(idle, 101, 10e6, 0, Duration.ofSeconds(1));
    assertThat(objective.worth(same)).isLessThan(objective.worth(usual));
    assertThat(objective.worth(better)).isGreaterThan(objective.worth(usual));
  }

  @Test
  void shouldHoldAtTheLimitAndNotBeyond() {
    assertThat(OBJECTIVE.holds(run(1, 10, 0))).isTrue();
    assertThat(OBJECTIVE.holds(run(1, 10.000001, 0))).isFalse();
    assertThat(OBJECTIVE.holds(run(1, 1, 1))).isFalse();
  }

  @Test
  void shouldPreferAnySettingWithinTheLimitToAllBeyond() {
    assertThat(OBJECTIVE.worth(run(1, 10, 0)))
        .isPositive()
        .isGreaterThan(OBJECTIVE.worth(run(1000, 10.1, 0)));
    assertThat(OBJECTIVE.worth(run(1, 11, 0))).isGreaterThan(OBJECTIVE.worth(run(1000, 12, 0)));
    assertThat(OBJECTIVE.worth(run(1000, 12, 0))).isGreaterThan(OBJECTIVE.worth(run(1, 1, 1)));
  }

  @Test
  void shouldGiveUpAtMostTwoPerCentOfThroughputForLatency() {
    assertThat(OBJECTIVE.worth(run(100, 1, 0))).isGreaterThan(OBJECTIVE.worth(run(101, 9, 0)));
    assertThat(OBJECTIVE.worth(run(103, 10, 0))).isGreaterThan(OBJECTIVE.worth(run(100, 0.1, 0)));
  }

  @Test
  void shouldCallAGainBeyondNoiseAnImprovement() {
    assertThat(improves(run(102.1, 10, 0), run(100, 10, 0))).isTrue();
    assertThat(improves(run(101.9, 10, 0), run(100, 10, 0))).isFalse();
    assertThat(improves(run(50, 10, 0), run(100, 11, 0))).isTrue();
    assertThat(improves(run(200, 11, 0), run(100, 12, 0))).isFalse();
  }

  private static boolean improves(Measurement best, Measurement baseline) {
    return new TuneResult(best, false, baseline, List.of(), 2, 2).improves(OBJECTIVE);
  }

  @Test
  void shouldGiveARunWhatOthersTookOfACpuThatWasNeverIdle() {
    assertThat(Undisturbed.perSecond(100, 1, 1, 2, 2)).isEqualTo(200);
    assertThat(Undisturbed.perSecond(100, 1.5, 0.5, 2, 4)).isCloseTo(133.3, within(0.1));
    // One thread would not have used the other core.
    assertThat(Undisturbed.perSecond(100, 1, 1, 2, 1)).isEqualTo(100);
    assertThat(Undisturbed.perSecond(100, 0.5, 1.5, 2, 1)).isEqualTo(200);
    // Idle time was there for the taking; a little company does not matter.
    assertThat(Undisturbed.perSecond(100, 1, 0.5, 2, 2)).isEqualTo(100);
    assertThat(Undisturbed.perSecond(100, 1.95, 0.05, 2, 2)).isEqualTo(100);
    assertThat(Undisturbed.perSecond(100, 0, 2, 2, 2)).isEqualTo(100);
  }

  @Test
  void shouldKeepWhatNothingBeatsInBothThroughputAndLatency() {
    Measurement fast = run(10, 1, 0);
    Measurement middle = run(20, 2, 0);
    Measurement beaten = run(19, 2.5, 0);
    Measurement same = run(20, 3, 0);
    Measurement most = run(30, 9, 0);
    Measurement broken = run(99, 0.5, 1);
    assertThat(ParetoFront.of(List.of(most, broken, beaten, same, middle, fast)))
        .containsExactly(fast, middle, most);
    assertThat(ParetoFront.of(List.of(broken))).isEmpty();
  }

  @Test
  void shouldRefuseALimitThatIsNone() {
    assertThatThrownBy(() -> new Objective(0)).hasMessageContaining("expected more than 0 ns");
  }

  @Test
  void shouldListCombinationsOnceAndNoneThatOversubscribesTheCores() {
    SearchSpace space =
        new SearchSpace(
            List.of(4, 1),
            List.of(1, 2),
            List.of(0),
            List.of(1, 8),
            List.of(0L, 500L),
            List.of(1L),
            List.of("cpu"),
            2);
    assertThat(space.settings())
        .hasSize(9)
        .doesNotHaveDuplicates()
        .noneMatch(s -> s.instances() * s.threads() > 4)
        .noneMatch(s -> s.maxBatchSize() == 1 && s.maxQueueDelayMicros() > 0);
    assertThat(SearchSpace.doubling(6)).containsExactly(1, 2, 4, 6);
    assertThat(SearchSpace.doubling(1)).containsExactly(1);
  }
}
