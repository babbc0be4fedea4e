package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.device.GpuBackends;
import dev.conveyor.models.process.Workers;
import dev.conveyor.models.repository.ModelRepository;
import dev.conveyor.verticles.ImageInputs;
import dev.conveyor.verticles.server.TestModels;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is loaded after a trial is what was tried. */
final class TriedFilesTest {

  private static final String CONFIG = "{\"conveyor\": {\"verify\": \"process\"}}";

  @Test
  void shouldNotLoadAnotherFileThanTheOneThatWasTried(@TempDir Path dir) {
    TestModels models = new TestModels(dir).identity("m", 4);
    MemoryBudget budget = new MemoryBudget("CPU", 64L << 20);
    AtomicBoolean replaces = new AtomicBoolean(true);
    try (Workers workers = new Workers(Duration.ofMinutes(5), 0)) {
      ProcessLoads backends = ProcessLoads.find(workers);
      DeviceLoads devices =
          new DeviceLoads(
              List.of(), List.of(), new GpuBackends(List.of()), backends, "CPU", 1, false);
      ModelLoader loader =
          new ModelLoader(
              new ModelRepository(dir),
              backends,
              new Sites(budget, List.of()),
              1,
              devices,
              (config, decodes) -> {
                // Asked for first when the worker of the trial has loaded the file.
                if (replaces.getAndSet(false)) {
                  models.identity("m", 400);
                }
                return ImageInputs.NONE;
              });

      assertThatThrownBy(() -> loader.load("m", CONFIG, 1, Set.of(), false))
          .isInstanceOf(ModelLoadException.class)
          .hasMessageContaining(models.file("m", 1) + ": the file changed since");

      List<LoadedVersion> loaded = loader.load("m", CONFIG, 2, Set.of(), false);
      assertThat(loaded).hasSize(1);
      loaded.forEach(version -> version.weights().close());
    }
    assertThat(budget.reservedBytes()).isZero();
  }
}
