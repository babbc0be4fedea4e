package dev.conveyor.scheduler.occupancy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

final class ConcurrencyControllerTest {

  private static final long MS = 1_000_000;

  private final StretchTable stretches = new StretchTable(8);
  private final ConcurrencyController controller = new ConcurrencyController(stretches, 1, 4);
  private long now = Long.MAX_VALUE - 500 * MS;

  @Test
  void shouldTryOneMoreOnlyIfSomethingWaits() {
    assertThat(period(false)).isEmpty();
    assertThat(controller.limit()).isEqualTo(1);

    assertThat(period(true)).hasValueSatisfying(change -> assertThat(change.to()).isEqualTo(2));
    assertThat(controller.limit()).isEqualTo(2);
  }

  @Test
  void shouldDecideAfterFiftyCompletionsOr200Ms() {
    for (int i = 0; i < 49; i++) {
      assertThat(controller.onCompletion(true, c -> true, now)).isEmpty();
    }
    assertThat(controller.onCompletion(true, c -> true, now)).isPresent();

    learn(2, 1.0);
    assertThat(controller.onCompletion(true, c -> true, now + 200 * MS - 1)).isEmpty();
    assertThat(controller.onCompletion(true, c -> true, now + 200 * MS)).isPresent();
  }

  @Test
  void shouldStayWhereOneMoreGainsFivePercentAndGoBackWhereItCostsThree() {
    period(true);
    learn(2, 2 / 1.06);
    period(false);
    assertThat(controller.limit()).isEqualTo(2);

    learn(2, 2 / 0.98);
    period(false);
    assertThat(controller.limit()).as("within the 3 % that are noise").isEqualTo(2);
    learn(2, 2 / 0.96);
    assertThat(period(false))
        .hasValueSatisfying(change -> assertThat(change.reason()).contains("0.96"));
    assertThat(controller.limit()).isEqualTo(1);
  }

  @Test
  void shouldWaitTwiceAsLongAfterEveryTryInVainUpToSixteenSeconds() {
    period(true);
    for (long seconds : new long[] {1, 2, 4, 8, 16, 16}) {
      learn(2, 2.5);
      period(true);
      assertThat(controller.limit()).isEqualTo(1);

      now += (seconds * 1000 - 400) * MS;
      period(true);
      assertThat(controller.limit()).as("before %d s", seconds).isEqualTo(1);
      now += 200 * MS;
      assertThat(controller.onCompletion(true, c -> true, now)).isPresent();
      assertThat(controller.limit()).isEqualTo(2);
    }
    period(true);
    assertThat(controller.limit()).as("not three before two is known").isEqualTo(2);
  }

  @Test
  void shouldBeAsCuriousAsAtFirstOnceALevelWasHeldForTenSeconds() {
    period(true);
    for (int i = 0; i < 4; i++) {
      learn(2, 2.5);
      period(true);
      now += 16_000 * MS;
      controller.onCompletion(true, c -> true, now);
    }
    for (int i = 0; i < 51; i++) {
      learn(2, 1.0);
      period(false);
    }
    assertThat(controller.limit()).isEqualTo(2);

    learn(2, 2.5);
    period(true);
    assertThat(controller.limit()).isEqualTo(1);
    now += 1_000 * MS;
    assertThat(controller.onCompletion(true, c -> true, now)).isPresent();
  }

  @Test
  void shouldNotGiveUpALevelBecauseShortRunsWereHeldUpAFewTimes() {
    for (int i = 0; i < 200; i++) {
      // One run in eight, of a millisecond, took ten; the others took 1.2 times as long as alone.
      stretches.record("small", null, 2, i % 8 == 0 ? 10 * MS : 1_200_000, MS, now);
      stretches.record("large", null, 2, 12 * MS, 10 * MS, now);
    }

    assertThat(stretches.stretch(2)).isBetween(1.1, 1.4);
  }

  @Test
  void shouldGoBackToTheBestNotJustByOne() {
    period(true);
    learn(2, 1.1);
    period(true);
    learn(3, 2.0);
    ConcurrencyController four = new ConcurrencyController(stretches, 4, 4);
    learn(4, 4.0);
    now += 200 * MS;
    four.onCompletion(true, c -> true, now);
    now += 200 * MS;
    four.onCompletion(true, c -> true, now);

    assertThat(four.limit()).isEqualTo(2);
  }

  @Test
  void shouldGiveUpConcurrencyForAnObjectiveHoweverMuchItGains() {
    period(true);
    learn(2, 1.0);
    now += 200 * MS;

    assertThat(controller.onCompletion(true, c -> c < 2, now))
        .hasValueSatisfying(change -> assertThat(change.reason()).contains("objective"));
    assertThat(controller.limit()).isEqualTo(1);
    now += 200 * MS;
    assertThat(controller.onCompletion(true, c -> c < 2, now)).isEmpty();
    learn(2, 1.0);
    now += 9_799 * MS;
    assertThat(controller.onCompletion(true, c -> c < 2, now)).isEmpty();
    now += 200 * MS;
    assertThat(controller.onCompletion(true, c -> c < 2, now))
        .as("what was seen ten seconds ago is worth another look")
        .isPresent();
  }

  @Test
  void shouldNeverLeaveItsBounds() {
    for (int level = 2; level <= 8; level++) {
      learn(level, 1.0);
    }
    for (int i = 0; i < 20; i++) {
      period(true);
    }

    assertThat(controller.limit()).isEqualTo(4);
  }

  @Test
  void shouldKnowAPairAfterEightSamplesAndANumberAfterTwenty() {
    for (int i = 0; i < 7; i++) {
      stretches.record("a", "b", 2, 150, 100, now);
    }
    assertThat(stretches.stretch("a", "b")).isZero();
    stretches.record("a", "b", 2, 150, 100, now);
    assertThat(stretches.stretch("a", "b")).isCloseTo(1.5, Percentage.withPercentage(1));
    assertThat(stretches.stretch("b", "a")).isZero();

    for (int i = 8; i < 19; i++) {
      stretches.record("a", "b", 2, 150, 100, now);
    }
    assertThat(stretches.stretch(2)).isZero();
    stretches.record("a", "b", 2, 150, 100, now);
    assertThat(stretches.stretch(2)).isCloseTo(1.5, Percentage.withPercentage(1));
    stretches.forget("b");
    assertThat(stretches.stretch("a", "b")).isZero();
  }

  @Test
  void shouldForgetTheOldestPairsWhenThereAreTooMany() {
    for (int model = 0; model <= StretchTable.MAX_PAIRS; model++) {
      for (int i = 0; i < StretchTable.ENOUGH; i++) {
        stretches.record("m" + model, "b", 2, 200, 100, now);
      }
    }

    assertThat(stretches.stretch("m0", "b")).isZero();
    assertThat(stretches.stretch("m1", "b")).isPositive();
  }

  private Optional<ConcurrencyController.Change> period(boolean waits) {
    controller.onCompletion(waits, c -> true, now);
    now += 200 * MS;
    return controller.onCompletion(waits, c -> true, now);
  }

  private void learn(int concurrency, double stretch) {
    for (int i = 0; i < 200; i++) {
      stretches.record("a", null, concurrency, (long) (stretch * 1e6), 1_000_000, now);
    }
  }
}
