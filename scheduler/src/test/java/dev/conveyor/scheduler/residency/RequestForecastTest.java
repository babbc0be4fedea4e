package dev.conveyor.scheduler.residency;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

final class RequestForecastTest {

  private final RequestForecast forecast = new RequestForecast();

  @Test
  void shouldTellTheFrequenciesOfASteadyLoad() {
    Random random = new Random(1);
    for (int i = 0; i < 20_000; i++) {
      forecast.onRequests(random.nextInt(10) < 7 ? "often" : "rarely", 1);
    }
    assertThat(forecast.value("often", 1)).isEqualTo(0.7, within(0.03));
    assertThat(forecast.value("rarely", 2)).isEqualTo(2 * 0.3, within(0.06));
    assertThat(forecast.value("never", 1)).isZero();
  }

  @Test
  void shouldTrustLongWindowsUnderASteadyLoadAndShortOnesUnderBursts() {
    Random random = new Random(1);
    for (int i = 0; i < 20_000; i++) {
      forecast.onRequests("m" + random.nextInt(50), 1);
    }
    assertThat(forecast.weights()[0]).isLessThan(0.05);

    RequestForecast bursty = new RequestForecast();
    for (int i = 0; i < 1_000; i++) {
      String model = "m" + random.nextInt(50);
      for (int r = 0; r < 20; r++) {
        bursty.onRequests(model, 1);
      }
    }
    assertThat(bursty.weights()[0]).isGreaterThan(0.5);
  }

  @Test
  void shouldCountRequestsThatAreReportedTogether() {
    RequestForecast together = new RequestForecast();
    for (int i = 0; i < 200; i++) {
      for (int r = 0; r < 5; r++) {
        forecast.onRequests("a", 1);
      }
      for (int r = 0; r < 3; r++) {
        forecast.onRequests("b", 1);
      }
      together.onRequests("a", 5);
      together.onRequests("b", 3);
    }
    assertThat(together.value("a", 1)).isEqualTo(forecast.value("a", 1), within(0.15));
  }

  @Test
  void shouldForgetOnRequest() {
    forecast.onRequests("a", 3);
    forecast.forget("a");
    assertThat(forecast.value("a", 1)).isZero();
  }
}
