package dev.conveyor.verticles.bench.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;

class AxisTest {

  @Test
  void shouldMarkRoundValuesFromZero() {
    assertThat(Axis.linear(57_000).ticks())
        .containsExactly(0.0, 10_000.0, 20_000.0, 30_000.0, 40_000.0, 50_000.0, 60_000.0);
    assertThat(Axis.linear(0).high()).isPositive();
  }

  @Test
  void shouldBeLogarithmicOnlyWhenTheValuesSpanEnough() {
    assertThat(Axis.suited(1, 11).logarithmic()).isFalse();
    Axis wide = Axis.suited(0.3, 40);

    assertThat(wide.logarithmic()).isTrue();
    assertThat(wide.ticks()).containsExactly(0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0);
    assertThat(wide.at(0.2)).isCloseTo(0, within(1e-9));
    assertThat(wide.at(50)).isCloseTo(1, within(1e-9));
    assertThat(Axis.suited(0, 40).logarithmic()).isFalse();
  }

  @Property
  void shouldHoldEveryValueBetweenItsEnds(
      @ForAll @DoubleRange(min = 0.01, max = 1e9) double a,
      @ForAll @DoubleRange(min = 0.01, max = 1e9) double b) {
    double min = Math.min(a, b);
    double max = Math.max(a, b);
    for (Axis axis :
        List.of(Axis.suited(min, max), Axis.linear(max), Axis.over(List.of(min, max)))) {
      assertThat(axis.at(min)).isBetween(-1e-9, 1 + 1e-9);
      assertThat(axis.at(max)).isBetween(-1e-9, 1 + 1e-9);
      assertThat(axis.ticks()).isSorted().hasSizeBetween(1, 12);
    }
  }

  @Test
  void shouldLabelWithoutNoughtsThatSayNothing() {
    assertThat(Axis.label(0)).isEqualTo("0");
    assertThat(Axis.label(12_000)).isEqualTo("12,000");
    assertThat(Axis.label(2.5)).isEqualTo("2.5");
    assertThat(Axis.label(0.05)).isEqualTo("0.05");
    assertThat(Axis.label(1)).isEqualTo("1");
  }
}
