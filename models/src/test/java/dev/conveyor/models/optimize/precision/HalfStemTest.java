package dev.conveyor.models.optimize.precision;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.optimize.TinyModels;
import org.junit.jupiter.api.Test;

class HalfStemTest {

  /** A first layer of 4 x 8 weights and a second of 8 x {@code width}. */
  private static TinyModels model(int width) {
    return TinyModels.opset(13)
        .input("x", -1, 4)
        .output("y", -1, width)
        .weight("first", 0.1, 4, 8)
        .weight("second", 0.1, 8, width)
        .node("MatMul", "x,first", "hidden")
        .node("MatMul", "hidden,second", "y");
  }

  @Test
  void shouldNameTheLayersThatReadInputsWhileTheyHoldAHundredthOfTheWeights() {
    assertThat(HalfStem.of(model(396).graph())).containsExactly("hidden_node"); // 32 of 3200
    assertThat(HalfStem.of(model(395).graph())).isEmpty(); // 32 of 3192
  }

  @Test
  void shouldKeepTheStemInFloatWhereThatTakesAQuarterOffTheNoise() {
    assertThat(HalfStem.isWorthKeeping(60, 62.5)).isTrue();
    assertThat(HalfStem.isWorthKeeping(60, 62.4)).isFalse();
    assertThat(HalfStem.isWorthKeeping(60, Double.POSITIVE_INFINITY)).isTrue();
    assertThat(HalfStem.isWorthKeeping(Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY))
        .isFalse();
  }
}
