package dev.conveyor.models.tune;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class WarmUpTest {

  private static int windows(double first, double factor) {
    WarmUp warmUp = new WarmUp();
    int windows = 0;
    for (double perSecond = first; !warmUp.isOver(); perSecond *= factor) {
      warmUp.add(perSecond);
      windows++;
    }
    return windows;
  }

  @Test
  void shouldEndAfterSeveralWindowsWithoutAGain() {
    assertThat(windows(1000, 1)).isEqualTo(1 + WarmUp.STEADY);
    assertThat(windows(0, 1)).as("nothing is answered").isEqualTo(1 + WarmUp.STEADY);
  }

  @Test
  void shouldGoOnWhileItGainsButNotForEver() {
    assertThat(windows(1000, 1.04)).isEqualTo(WarmUp.MOST);
  }

  @Test
  void shouldStartCountingAgainAfterAGain() {
    WarmUp warmUp = new WarmUp();
    for (double perSecond : new double[] {100, 90, 102, 95, 130}) {
      warmUp.add(perSecond);
    }
    for (int i = 0; i < WarmUp.STEADY; i++) {
      assertThat(warmUp.isOver()).isFalse();
      warmUp.add(120);
    }
    assertThat(warmUp.isOver()).isTrue();
  }
}
