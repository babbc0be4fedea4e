package dev.conveyor.scheduler.isolation;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** When executions are looked at; time starts where {@code nanoTime} overflows. */
final class ExecutionWatchTest {

  private static final long SOONEST_NS = 20 * MS;

  private final ExecutionWatch watch = new ExecutionWatch(SOONEST_NS);

  @Test
  void shouldNotLookWhileNothingRuns() {
    assertThat(watch.isDue(T0)).isFalse();
    assertThat(watch.untilWakeNs(T0)).isEqualTo(ExecutionWatch.NEVER);

    watch.began(T0);
    watch.look(T0 + SOONEST_NS);
    watch.looked(T0 + SOONEST_NS, ExecutionWatch.NEVER);

    assertThat(watch.isDue(T0 + 1000 * MS)).isFalse();
    assertThat(watch.untilWakeNs(T0 + 1000 * MS)).isEqualTo(ExecutionWatch.NEVER);
  }

  @Test
  void shouldLookWhenTheFirstExecutionCouldTakeTooLong() {
    watch.began(T0);
    watch.began(T0 + 5 * MS);

    assertThat(watch.isDue(T0 + SOONEST_NS - 1)).isFalse();
    assertThat(watch.isDue(T0 + SOONEST_NS)).isTrue();
  }

  @Test
  void shouldWakeNobodyWhileTheLookMayBeLate() {
    watch.began(T0);
    long wakeNs = SOONEST_NS + ExecutionWatch.LATE_NS;

    assertThat(watch.untilWakeNs(T0)).isEqualTo(wakeNs);
    assertThat(watch.untilWakeNs(T0 + wakeNs - 1)).isEqualTo(1);
    assertThat(watch.untilWakeNs(T0 + wakeNs)).isZero();
    assertThat(watch.untilWakeNs(T0 + wakeNs + MS)).isZero();
  }

  @Test
  void shouldLookAsSoonAsItWasTold() {
    watch.began(T0);
    watch.looked(T0 + SOONEST_NS, 30 * MS);

    assertThat(watch.isDue(T0 + SOONEST_NS + 30 * MS - 1)).isFalse();
    assertThat(watch.isDue(T0 + SOONEST_NS + 30 * MS)).isTrue();
  }

  @Test
  void shouldLookEarlierWhenAnotherExecutionBegins() {
    watch.began(T0);
    watch.looked(T0 + SOONEST_NS, 80 * MS);
    watch.began(T0 + SOONEST_NS + 10 * MS);

    assertThat(watch.isDue(T0 + 2 * SOONEST_NS + 10 * MS - 1)).isFalse();
    assertThat(watch.isDue(T0 + 2 * SOONEST_NS + 10 * MS)).isTrue();
  }

  @Test
  void shouldNotPutALookOffBecauseAnotherExecutionBegins() {
    watch.began(T0);
    watch.looked(T0 + SOONEST_NS, 5 * MS);
    watch.began(T0 + SOONEST_NS + MS);

    assertThat(watch.isDue(T0 + SOONEST_NS + 5 * MS)).isTrue();
  }

  @Test
  void shouldNotBeSoonerThanTheShortestLimit() {
    ExecutionWatch impatient = new ExecutionWatch(MS);
    impatient.began(T0);
    assertThat(impatient.isDue(T0 + MS - 1)).isFalse();
    assertThat(impatient.isDue(T0 + MS)).isTrue();
  }

  @Test
  void shouldLetAnExecutionAgeInFullHoweverFarItsLimitIs() {
    RunClock clock = new RunClock(T0);
    watch.began(T0);
    long nowNs = T0;
    while (nowNs - T0 < 5000 * MS) {
      nowNs += watch.untilWakeNs(nowNs);
      Stalls stalls = watch.look(nowNs);
      assertThat(stalls.ageNs(clock, nowNs)).isEqualTo(nowNs - T0);
      watch.looked(nowNs, 60_000 * MS);
    }
  }

  @Test
  void shouldNotChargeAnExecutionForAProcessThatStoodStill() {
    RunClock clock = new RunClock(T0);
    watch.began(T0);
    long stoppedNs = 3_600_000 * MS;
    long nowNs = T0 + stoppedNs;
    assertThat(watch.isDue(nowNs)).isTrue();

    Stalls stalls = watch.look(nowNs);

    assertThat(stalls.ageNs(clock, nowNs)).isEqualTo(200 * MS);
    assertThat(stalls.endNs()).isEqualTo(nowNs);
  }

  @Test
  void shouldNotTakeATimeWithoutExecutionsForAStandstill() {
    watch.began(T0);
    watch.looked(T0 + SOONEST_NS, ExecutionWatch.NEVER);
    long laterNs = T0 + 3_600_000 * MS;
    RunClock clock = new RunClock(laterNs);
    watch.began(laterNs);

    long nowNs = laterNs + SOONEST_NS;
    Stalls stalls = watch.look(nowNs);

    assertThat(stalls.endNs()).isEqualTo(laterNs);
    assertThat(stalls.ageNs(clock, nowNs)).isEqualTo(SOONEST_NS);
  }
}
