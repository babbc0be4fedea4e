package dev.conveyor.scheduler.placement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

final class ArrivalRateTest {

  @Test
  void shouldBeginWithTheFirstWindow() {
    ArrivalRate rate = new ArrivalRate();
    assertThat(rate.perSecond()).isZero();

    rate.onWindow(50, 5);

    assertThat(rate.perSecond()).isEqualTo(10);
  }

  @Test
  void shouldRiseWithTheQuickAverageAndFallWithTheSlowOne() {
    ArrivalRate rate = new ArrivalRate();
    rate.onWindow(0, 10);

    rate.onWindow(1000, 10);
    assertThat(rate.perSecond()).isCloseTo(100 * (1 - Math.exp(-1)), within(1e-9));

    double slow = 100 * (1 - Math.exp(-10 / 60.0));
    for (int i = 0; i < 6; i++) {
      rate.onWindow(0, 10);
    }
    assertThat(rate.perSecond()).isCloseTo(slow * Math.exp(-1), within(1e-9));
  }
}
