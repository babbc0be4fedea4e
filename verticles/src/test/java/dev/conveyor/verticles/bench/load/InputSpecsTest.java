package dev.conveyor.verticles.bench.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class InputSpecsTest {

  @Test
  void shouldReadNameTypeAndDims() {
    assertThat(InputSpecs.parse("INPUT0:FP32:-1x16"))
        .isEqualTo(new TensorSpec("INPUT0", DataType.FP32, Shape.of(-1, 16)));
    assertThat(InputSpecs.parse("input:0:INT64:2,3"))
        .isEqualTo(new TensorSpec("input:0", DataType.INT64, Shape.of(2, 3)));
    assertThat(InputSpecs.parse("x:BOOL:"))
        .isEqualTo(new TensorSpec("x", DataType.BOOL, Shape.of()));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "x", "x:FP32", ":FP32:1", "x:FLOAT:1", "x:FP32:1x", "x:FP32:a"})
  void shouldRefuseWhatIsNotOfTheForm(String text) {
    assertThatThrownBy(() -> InputSpecs.parse(text)).isInstanceOf(IllegalArgumentException.class);
  }
}
