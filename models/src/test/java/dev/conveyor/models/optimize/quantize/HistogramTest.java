package dev.conveyor.models.optimize.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class HistogramTest {

  @Test
  void shouldCutRareOutliersButNotWithMinmax() {
    float[] values = new float[1_000_000];
    Random random = new Random(1);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble();
    }
    values[0] = 100;

    Histogram histogram = of(values);

    assertThat(histogram.range(Calibration.MINMAX).max()).isEqualTo(100f);
    assertThat(histogram.range(Calibration.PERCENTILE).max()).isBetween(0.9f, 1.1f);
    assertThat(histogram.range(Calibration.PERCENTILE).min()).isCloseTo(0f, within(0.06f));
    assertThat(histogram.range(Calibration.ENTROPY).max()).isLessThan(50f);
  }

  @Test
  void shouldKeepTheRangeOfEvenValues() {
    float[] values = new float[100_000];
    Arrays.setAll(new double[values.length], i -> values[i] = (i - 50_000) / 50_000f);

    Histogram histogram = of(values);

    assertThat(histogram.range(Calibration.ENTROPY).max()).isGreaterThan(0.95f);
    assertThat(histogram.range(Calibration.PERCENTILE).min()).isLessThan(-0.99f);
  }

  @Test
  void shouldNoticeWhatIsNoNumber() {
    assertThat(new Histogram().widen(new float[] {1, Float.NaN})).isFalse();
    assertThat(new Histogram().widen(new float[] {Float.NEGATIVE_INFINITY})).isFalse();
    assertThat(new Histogram().widen(new float[] {Float.MAX_VALUE, -1})).isTrue();
  }

  private static Histogram of(float[] values) {
    Histogram histogram = new Histogram();
    assertThat(histogram.widen(values)).isTrue();
    histogram.count(values);
    return histogram;
  }
}
