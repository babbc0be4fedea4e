package dev.conveyor.models.process.worker;

import static org.assertj.core.api.Assertions.assertThatCode;

import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelLoadException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

final class WorkerModelTest {

  @Test
  void shouldServeAllTheSameWhereItCannotWarmUp() {
    WorkerModel model = new WorkerModel(new ColdBackend());
    assertThatCode(model::warmUp).doesNotThrowAnyException();
  }

  private static final class ColdBackend implements Backend {
    @Override
    public String name() {
      return "cold";
    }

    @Override
    public void warmUp() {
      throw new ModelLoadException("no memory for that");
    }

    @Override
    public LoadedModel load(Path file, LoadOptions options) {
      throw new ModelLoadException("there is nothing to load");
    }
  }
}
