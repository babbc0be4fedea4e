package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.device.GpuBackends;
import dev.conveyor.models.process.FileState;
import dev.conveyor.models.process.Workers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DeviceLoadsTest {

  @Test
  void shouldNotLoadACopyOfFilesThatHaveChanged(@TempDir Path dir) throws IOException {
    Path file = Files.writeString(dir.resolve("model.plan"), "an engine");
    try (Workers workers = new Workers(Duration.ofMinutes(1), 0)) {
      DeviceLoads loads =
          new DeviceLoads(
              List.of(),
              List.of(),
              new GpuBackends(List.of()),
              ProcessLoads.find(workers),
              "CPU",
              1,
              true);
      ModelConfig config = ModelConfigReader.read("m", "{}");
      DeviceLoads.Source source =
          new DeviceLoads.Source(
              new DeviceLoads.Version(file, config, "m/1", new ModelBudgets(config)),
              FileState.of(file),
              1);
      assertThatThrownBy(() -> loads.loadCopy(source, "GPU0")).hasMessageContaining("no GPU0");

      Files.writeString(file, "another engine");
      assertThatThrownBy(() -> loads.loadCopy(source, "GPU0"))
          .isInstanceOf(ModelLoadException.class)
          .hasMessageContaining("the file changed since the model was loaded or tried");
    }
  }
}
