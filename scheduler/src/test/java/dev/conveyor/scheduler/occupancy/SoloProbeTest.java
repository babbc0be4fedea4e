package dev.conveyor.scheduler.occupancy;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class SoloProbeTest {

  private static final long MS = 1_000_000;

  private final SoloProbe probe = new SoloProbe();
  private long now = Long.MAX_VALUE - 500 * MS;

  @Test
  void shouldBeginOnceFiftyInCompanyHadNothingToBeComparedWith() {
    together(SoloProbe.BLIND_RUNS - 1);
    assertThat(probe.isOn()).isFalse();
    together(1);
    assertThat(probe.isOn()).isTrue();
  }

  @Test
  void shouldNotBeginWhereSomeRanAloneOrAreKnown() {
    for (int i = 0; i < 5; i++) {
      together(SoloProbe.BLIND_RUNS - 1);
      ended(i % 2 == 0, i % 2 == 0);
    }
    assertThat(probe.isOn()).isFalse();
  }

  @Test
  void shouldEndAfterEnoughAlone() {
    together(SoloProbe.BLIND_RUNS);
    ended(true, false);
    for (int i = 0; i < SoloProbe.SOLO_RUNS - 1; i++) {
      ended(false, false);
    }
    assertThat(probe.isOn()).isTrue();
    ended(false, false);
    assertThat(probe.isOn()).isFalse();
  }

  @Test
  void shouldEndAfterASecondHoweverFewRanAlone() {
    together(SoloProbe.BLIND_RUNS);
    now += SoloProbe.LONGEST_NS - 1;
    ended(false, false);
    assertThat(probe.isOn()).isTrue();
    now += 1;
    ended(true, false);
    assertThat(probe.isOn()).isFalse();
  }

  @Test
  void shouldWaitTwiceAsLongAfterEveryTryInVain() {
    together(SoloProbe.BLIND_RUNS);
    for (long pauseNs = SoloProbe.FIRST_PAUSE_NS;
        pauseNs <= 4 * SoloProbe.LONGEST_PAUSE_NS;
        pauseNs *= 2) {
      long begunNs = now;
      for (int i = 0; i < SoloProbe.SOLO_RUNS; i++) {
        ended(false, false);
      }
      now = begunNs + Math.min(pauseNs, SoloProbe.LONGEST_PAUSE_NS) - 1;
      together(2 * SoloProbe.BLIND_RUNS);
      assertThat(probe.isOn()).isFalse();
      now += 1;
      together(1);
      assertThat(probe.isOn()).isTrue();
    }
  }

  private void together(int runs) {
    for (int i = 0; i < runs; i++) {
      ended(true, false);
    }
  }

  private void ended(boolean hadCompany, boolean isSoloKnown) {
    probe.onOutcome(hadCompany, isSoloKnown, now);
  }
}
