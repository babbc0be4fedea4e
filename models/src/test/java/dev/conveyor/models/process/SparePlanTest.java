package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ProcessIsolation;
import java.time.Duration;
import org.junit.jupiter.api.Test;

final class SparePlanTest {

  private static final long SECOND = 1_000_000_000;

  /** Survives overflow of nanoTime. */
  private static final long T0 = Math.subtractExact(Long.MAX_VALUE, SECOND / 2);

  private static final WorkerSpec SMALL = spec(256L << 20);
  private static final WorkerSpec LARGE = spec(512L << 20);

  private final SparePlan plan = new SparePlan(1, T0);

  @Test
  void shouldWantNoneWhereNoModelIsInAProcessOfItsOwn() {
    assertThat(plan.next(T0 + 60 * SECOND)).isEmpty();
    assertThat(plan.delayNs(T0)).isEmpty();
  }

  @Test
  void shouldBeginOneWhenNothingHasChangedForAWhile() {
    plan.serves(SMALL, T0);
    assertThat(plan.delayNs(T0)).hasValue(SparePlan.SETTLE_NS);
    plan.serves(SMALL, T0 + SECOND / 2);
    assertThat(plan.next(T0 + SECOND / 2 + SparePlan.SETTLE_NS - 1)).isEmpty();
    assertThat(plan.next(T0 + SECOND / 2 + SparePlan.SETTLE_NS)).contains(SMALL);
  }

  @Test
  void shouldHaveNoMoreThanItMay() {
    plan.serves(SMALL, T0);
    plan.begins(SMALL);
    assertThat(plan.next(T0 + 60 * SECOND)).isEmpty();
    assertThat(plan.delayNs(T0 + 60 * SECOND)).isEmpty();
  }

  @Test
  void shouldPreferWhatMostWorkersAreAndThenWhatHasNone() {
    SparePlan two = new SparePlan(2, T0);
    two.serves(SMALL, T0);
    two.serves(LARGE, T0);
    two.serves(LARGE, T0);
    assertThat(two.next(T0 + SECOND)).contains(LARGE);
    two.begins(LARGE);
    assertThat(two.next(T0 + SECOND)).contains(SMALL);
  }

  @Test
  void shouldBeginTheNextOnlyAfterTheOneThatWasTakenServes() {
    plan.serves(SMALL, T0);
    plan.begins(SMALL);
    plan.isGone(SMALL, T0 + 5 * SECOND);
    plan.isTaken(SMALL, T0 + 5 * SECOND);
    assertThat(plan.next(T0 + 7 * SECOND)).as("no worker of that kind serves").isEmpty();
    plan.serves(SMALL, T0 + 7 * SECOND);
    assertThat(plan.next(T0 + 8 * SECOND - 1)).isEmpty();
    assertThat(plan.next(T0 + 8 * SECOND)).contains(SMALL);
  }

  @Test
  void shouldWaitLongerAndLongerWhileSparesFailEvenIfTheyWereReady() {
    plan.serves(SMALL, T0);
    long nowNs = T0 + SECOND;
    for (long waitS : new long[] {1, 2, 4, 8, 16, 32, 60, 60}) {
      plan.begins(SMALL);
      plan.fails(SMALL, waitS % 3 == 1 ? 0 : SparePlan.LASTING_NS - 1, nowNs);
      assertThat(plan.delayNs(nowNs)).hasValue(waitS * SECOND);
      assertThat(plan.next(nowNs + waitS * SECOND - 1)).isEmpty();
      nowNs += waitS * SECOND;
      assertThat(plan.next(nowNs)).contains(SMALL);
    }
  }

  @Test
  void shouldForgetFailuresOnceASpareHasLastedOrWasTaken() {
    plan.serves(SMALL, T0);
    long nowNs = T0 + SECOND;
    for (int failure = 0; failure < 3; failure++) {
      plan.begins(SMALL);
      plan.fails(SMALL, 0, nowNs);
      nowNs += 4 * SECOND;
    }
    plan.begins(SMALL);
    plan.fails(SMALL, SparePlan.LASTING_NS, nowNs);
    assertThat(plan.delayNs(nowNs)).hasValue(SECOND);

    nowNs += SECOND;
    plan.begins(SMALL);
    plan.fails(SMALL, 0, nowNs);
    assertThat(plan.delayNs(nowNs)).hasValue(2 * SECOND);
    nowNs += 2 * SECOND;
    plan.begins(SMALL);
    plan.isTaken(SMALL, nowNs);
    plan.begins(SMALL);
    plan.fails(SMALL, 0, nowNs);
    assertThat(plan.delayNs(nowNs)).hasValue(SECOND);
  }

  @Test
  void shouldGiveUpASpareThatNothingNeedsButNotAtOnce() {
    plan.serves(SMALL, T0);
    plan.begins(SMALL);
    plan.isGone(SMALL, T0 + SECOND);
    assertThat(plan.delayNs(T0 + SECOND)).hasValue(SparePlan.KEEP_NS);
    assertThat(plan.surplus(T0 + SECOND + SparePlan.KEEP_NS - 1)).isEmpty();
    assertThat(plan.surplus(T0 + SECOND + SparePlan.KEEP_NS)).contains(SMALL);
    plan.leaves(SMALL, T0 + 20 * SECOND);
    assertThat(plan.surplus(T0 + 60 * SECOND)).isEmpty();
  }

  private static WorkerSpec spec(long memoryBytes) {
    ProcessIsolation config = new ProcessIsolation(memoryBytes, 0, "", Duration.ofSeconds(2));
    return new WorkerSpec(FaultyBackend.class, ProcessLimits.of(config, ""), 1);
  }
}
