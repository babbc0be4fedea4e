package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.Shape;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EngineOptionsTest {

  @Test
  void shouldBeExactKeptAndInTheBackgroundWhereNothingIsSaid() {
    assertThat(EngineOptions.DEFAULT)
        .isEqualTo(
            new EngineOptions(
                Precision.FP32, "", 0, true, "", true, 3, true, false, false, false, List.of()));
  }

  @Test
  void shouldReadEveryParameter() {
    assertThat(
            EngineOptions.parse(
                Map.of(
                    "precision_mode", "int8",
                    "int8_calibration_data", "photos",
                    "max_workspace_size_bytes", "1073741824",
                    "trt_engine_cache_enable", "0",
                    "trt_engine_cache_path", "/var/engines",
                    "trt_timing_cache_enable", "false",
                    "trt_builder_optimization_level", "5",
                    "background_build", "false",
                    "layer_times", "1",
                    "build_progress", "true")))
        .isEqualTo(
            new EngineOptions(
                Precision.INT8,
                "photos",
                1 << 30,
                false,
                "/var/engines",
                false,
                5,
                false,
                true,
                true,
                false,
                List.of()));
    assertThat(EngineOptions.parse(Map.of("trt_cuda_graph_enable", "true")).graphs()).isTrue();
  }

  @Test
  void shouldSayWhatIsWrong() {
    assertRefused(Map.of("precision", "FP16"), "parameters.precision", "precision_mode");
    assertRefused(Map.of("precision_mode", "FP12"), "precision_mode", "TF32", "FP12");
    assertRefused(Map.of("max_workspace_size_bytes", "-1"), "a whole number from 0", "-1");
    assertRefused(Map.of("trt_builder_optimization_level", "6"), "from 0 to 5", "6");
    assertRefused(Map.of("layer_times", "yes"), "layer_times", "true or false");
    assertRefused(Map.of("build_progress", "on"), "build_progress", "true or false");
    assertRefused(
        Map.of("trt_cuda_graph_enable", "1", "layer_times", "1"), "trt_cuda_graph_enable", "both");
    assertRefused(Map.of("int8_calibration_data", "x"), "only with precision_mode INT8", "FP32");
  }

  @Test
  void shouldCalibrateAgainWhenThePicturesAreOthersThoughTheirDirectoryIsTheSame(@TempDir Path dir)
      throws IOException {
    EngineOptions engine =
        EngineOptions.parse(
            Map.of("precision_mode", "INT8", "int8_calibration_data", dir.toString()));
    ModelConfig config = ModelConfig.empty("model");
    Files.writeString(dir.resolve("a.jpg"), "one picture");
    String before = TensorRtBackend.calibration(engine, config);

    assertThat(TensorRtBackend.calibration(engine, config)).isEqualTo(before);
    Files.writeString(dir.resolve("a.jpg"), "one Picture");
    assertThat(TensorRtBackend.calibration(engine, config)).isNotEqualTo(before);
    assertThat(TensorRtBackend.calibration(EngineOptions.DEFAULT, config)).isEmpty();
  }

  @Test
  void shouldTakeTheSameEngineWhetherItsBuildWasHeardOfOrNot() {
    BatchProfile profile = BatchProfile.of(8, List.of());
    EngineOptions heard = EngineOptions.parse(Map.of("build_progress", "1"));

    assertThat(EngineKey.flags(heard, profile, ""))
        .isEqualTo(EngineKey.flags(EngineOptions.DEFAULT, profile, ""));
  }

  private static void assertRefused(Map<String, String> parameters, String... said) {
    assertThatThrownBy(() -> EngineOptions.parse(parameters))
        .isInstanceOf(ConfigException.class)
        .hasMessageContainingAll(said);
  }

  @Test
  void shouldBuildForTheAllowedBatchesAndTheBestOfThem() {
    assertThat(BatchProfile.of(16, List.of(4, 8))).isEqualTo(new BatchProfile(1, 8, 16));
    assertThat(BatchProfile.of(16, List.of())).isEqualTo(new BatchProfile(1, 16, 16));
    assertThat(BatchProfile.of(0, List.of())).isEqualTo(new BatchProfile(1, 1, 1));
  }

  @Test
  void shouldFixTheBatchAndAskForProfilesOfOtherDynamicDimensions() {
    assertThat(BatchProfile.shape("x", Shape.of(-1, 3, 8, 8), 4)).isEqualTo(Shape.of(4, 3, 8, 8));
    assertThat(BatchProfile.shape("x", Shape.of(1, 3), 4)).isEqualTo(Shape.of(1, 3));
    assertThatThrownBy(() -> BatchProfile.shape("x", Shape.of(-1, -1), 4))
        .hasMessageContaining("input 'x' is [-1,-1]");
  }
}
