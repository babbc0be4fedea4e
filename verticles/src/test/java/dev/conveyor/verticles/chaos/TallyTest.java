package dev.conveyor.verticles.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.conveyor.verticles.chaos.Answer.Outcome;
import org.junit.jupiter.api.Test;

final class TallyTest {

  private static final long MS = 1_000_000;

  @Test
  void shouldPoolTheLatenciesOfUntouchedModels() {
    Tally tally = new Tally();
    for (int i = 0; i < 980; i++) {
      tally.count(Answer.RIGHT, true, MS);
    }
    for (int i = 0; i < 20; i++) {
      tally.count(Answer.RIGHT, true, 7 * MS);
      tally.count(Answer.REFUSED, false, 500 * MS);
    }
    assertThat(tally.untouchedP99Ms()).isCloseTo(7, withPercentage(1));
    assertThat(tally.sent()).isEqualTo(1020);
    assertThat(tally.get(Outcome.REFUSED)).isEqualTo(20);
    assertThat(tally.othersFailed()).isZero();
    tally.count(Answer.REFUSED, true, MS);
    assertThat(tally.othersFailed()).isOne();
  }

  @Test
  void shouldCountAStallForEveryTurnThatItCost() {
    Tally tally = new Tally();
    for (int i = 0; i < 850; i++) {
      tally.stalled(0);
    }
    // One stall in a second, but of a tenth of it.
    tally.stalled(100 * MS);
    assertThat(tally.stalledP99Ms()).isBetween(80.0, 100.0);
  }

  @Test
  void shouldCountHowLateAThreadIsBeyondItsPeriod() {
    HiccupMeter meter = new HiccupMeter();
    long t0 = Long.MAX_VALUE - MS; // survives overflow of nanoTime
    assertThat(meter.lateNs(t0)).isZero();
    assertThat(meter.lateNs(t0 + HiccupMeter.PERIOD_NS)).isZero();
    assertThat(meter.lateNs(t0 + 2 * HiccupMeter.PERIOD_NS + 5)).isEqualTo(5);
    assertThat(meter.lateNs(t0 + 2 * HiccupMeter.PERIOD_NS + 6)).as("made up for").isZero();
  }

  @Test
  void shouldExcuseOnlyWhatWasUnderWayWhileAModelWasAway() {
    Outages outages = new Outages();
    assertThat(outages.covers("m", 5)).isFalse();
    outages.begin("m");
    outages.begin("m");
    assertThat(outages.covers("m", 5)).isTrue();
    assertThat(outages.covers("other", 5)).isFalse();
    outages.end("m", 10);
    assertThat(outages.covers("m", 11)).as("away twice").isTrue();
    outages.end("m", 20);
    assertThat(outages.covers("m", 20)).as("sent before the end").isTrue();
    assertThat(outages.covers("m", 21)).isFalse();
  }

  @Test
  void shouldOweAsMuchCalmAsThereWasDisturbance() {
    FaultWindows windows = new FaultWindows("f");
    windows.calm(1000);
    windows.disturbed(4000);
    assertThat(windows.owedMs()).isEqualTo(3000);
    windows.calm(3000);
    assertThat(windows.owedMs()).isZero();
    windows.calm(10);
    assertThat(windows.owedMs()).isZero();
  }
}
