package dev.conveyor.models.process;

import static dev.conveyor.models.process.Runs.floats;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DeceitfulWorkerTest {

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "noise",
        "huge frame",
        "another run",
        "outside",
        "negative",
        "shape",
        "no output",
        "cut off",
        "early",
        "shrink"
      })
  void shouldKillAWorkerThatLies(String lie) throws IOException {
    MemoryBudget budget = new MemoryBudget("CPU", 64L << 20);
    Path file = Files.writeString(dir.resolve("model"), lie);
    try (Workers workers =
        new Workers(dir, DeceitfulWorker.class.getName(), Duration.ofMinutes(5))) {
      ProcessBackend backend =
          new ProcessBackend(workers, FaultyBackend.class, "faulty", ProcessLimits.NONE);
      try (LoadedModel model = backend.load(file, Runs.options(budget));
          ModelExecutor executor = model.newExecutor(1)) {
        assertThatThrownBy(() -> executor.execute(List.of(floats("t", 1, 1f))))
            .isInstanceOfSatisfying(
                ExecutionException.class, e -> assertThat(e.kind()).isEqualTo(Kind.INSTANCE_LOST))
            .hasMessageContaining("broke the protocol");
      }
    }
    assertThat(budget.reservedBytes()).isZero();
  }
}
