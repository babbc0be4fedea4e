package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ModelConfig;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

final class GpuBackendsTest {

  private record Named(String name, String extension, int preference, String unavailable)
      implements GpuBackend {
    @Override
    public boolean takes(Path file, ModelConfig config) {
      return file.toString().endsWith(extension);
    }

    @Override
    public DeviceModel load(Path file, GpuLoadOptions options) {
      throw new UnsupportedOperationException(name);
    }
  }

  private static final ModelConfig CONFIG = ModelConfig.empty("m");

  @Test
  void shouldAskTheBestThatTakesTheModelFirst() {
    GpuBackends backends =
        new GpuBackends(
            List.of(
                new Named("slow", ".onnx", 0, ""),
                new Named("fast", ".onnx", 9, ""),
                new Named("other", ".plan", 99, "")));

    GpuBackends.Choice choice = backends.choose(Path.of("model.onnx"), CONFIG);

    assertThat(choice.usable()).extracting(GpuBackend::name).containsExactly("fast", "slow");
    assertThat(choice.reason()).isEmpty();
  }

  @Test
  void shouldPassOverWhatIsMissingOnThisMachine() {
    GpuBackends backends =
        new GpuBackends(
            List.of(
                new Named("fast", ".onnx", 9, "libfast.so was not found"),
                new Named("slow", ".onnx", 0, "")));

    assertThat(backends.choose(Path.of("model.onnx"), CONFIG).usable())
        .extracting(GpuBackend::name)
        .containsExactly("slow");
  }

  @Test
  void shouldSayWhyThereIsNone() {
    GpuBackends backends =
        new GpuBackends(List.of(new Named("fast", ".onnx", 9, "libfast.so was not found")));

    assertThat(backends.choose(Path.of("model.onnx"), CONFIG).reason())
        .isEqualTo("fast: libfast.so was not found");
    assertThat(backends.choose(Path.of("model.plan"), CONFIG).reason())
        .isEqualTo("no backend runs model.plan on a GPU");
  }
}
