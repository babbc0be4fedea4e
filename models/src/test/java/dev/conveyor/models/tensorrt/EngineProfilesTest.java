package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code instance_group.profile}, as far as no engine is needed. */
class EngineProfilesTest {

  private static final List<TensorSpec> INPUTS =
      List.of(new TensorSpec("ids", DataType.INT64, Shape.of(-1, -1)));

  /** Of up to 64, from 65 to 512, and of all lengths. */
  private static final EngineOptions OPTIONS =
      EngineOptions.parse(
          Map.of(
              "trt_profile_min_shapes", "ids:1x1,ids:1x65,ids:1x1",
              "trt_profile_opt_shapes", "ids:8x32,ids:4x128,ids:8x64",
              "trt_profile_max_shapes", "ids:16x64,ids:8x512,ids:16x512"));

  private static EngineProfiles profiles(String numbers) {
    return TensorRtBackend.profiles(
        OPTIONS,
        ModelConfigReader.read(
            "m", "{'instance_group': [{'profile': [%s]}]}".formatted(numbers).replace('\'', '"')));
  }

  private static int firstFor(String numbers, int items, int length) {
    return profiles(numbers).firstFor(INPUTS, List.of(Shape.of(items, length)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "       | 1 | 64 | 0", // all of them, in the engine's order
        "       | 1 | 65 | 1",
        "       | 9 | 65 | 2",
        "'1'    | 1 | 65 | 1",
        "'1'    | 1 | 64 | -1",
        "'2'    | 1 | 64 | 2",
        "'2','0'| 1 | 64 | 2", // in the order of the configuration
        "'0','2'| 1 | 65 | 2",
        "'0','1'| 9 | 65 | -1",
      },
      quoteCharacter = '`')
  void shouldTakeTheFirstOfThoseThatAreNamed(String numbers, int items, int length, int expected) {
    assertThat(firstFor(numbers == null ? "" : numbers, items, length)).isEqualTo(expected);
  }

  @Test
  void shouldFindBatchesThatThoseWhichAreNamedDoNotTake() {
    assertThat(profiles("").leastUncovered(16)).isZero();
    assertThat(profiles("'1'").leastUncovered(16)).isEqualTo(9);
    assertThat(profiles("'1','2'").leastUncovered(16)).isZero();
  }

  @Test
  void shouldRefuseNumbersThatTheEngineDoesNotHaveAndSayWhichItHas() {
    assertThatThrownBy(() -> profiles("'1','3'"))
        .isInstanceOf(ConfigException.class)
        .hasMessage(
            "instance_group.profile: expected optimisation profiles of the engine, \"0\" to \"2\", found \"3\"");
  }

  @Test
  void shouldHaveOneProfileWhereNoShapesAreConfigured() {
    ModelConfig second =
        ModelConfigReader.read("m", "{\"instance_group\": [{\"profile\": [\"1\"]}]}");
    EngineProfiles one =
        TensorRtBackend.profiles(EngineOptions.DEFAULT, ModelConfigReader.read("m", "{}"));
    assertThat(one.used()).containsExactly(0);
    assertThat(one.leastUncovered(1000)).isZero();
    assertThatThrownBy(() -> TensorRtBackend.profiles(EngineOptions.DEFAULT, second))
        .hasMessageContaining("\"0\" to \"0\", found \"1\"");
  }
}
