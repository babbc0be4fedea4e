package dev.conveyor.models.process;

import static dev.conveyor.models.process.Runs.floats;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.OnnxFiles;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.models.process.worker.WorkerMain;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real models in real processes. */
final class ProcessBackendTest {

  @TempDir private Path dir;

  private final MemoryBudget budget = new MemoryBudget("CPU", 256L << 20);
  private Workers workers;
  private ProcessBackend backend;

  @BeforeEach
  void start() {
    workers = new Workers(dir, WorkerMain.class.getName(), Duration.ofMinutes(5));
    backend = new ProcessBackend(workers, OnnxBackend.class, "onnxruntime", ProcessLimits.NONE);
  }

  @AfterEach
  void stop() {
    workers.close();
  }

  @Test
  void shouldAnswerAsTheSameModelDoesInProcessAndLeaveNothingBehind() throws IOException {
    Path file = OnnxFiles.identity(dir.resolve("model.onnx"), 2);
    List<Runs.Request> batch =
        List.of(
            floats("INPUT0", 1, 1, 2), floats("INPUT0", 2, 3, 4, 5, 6), floats("INPUT0", 1, 7, 8));
    try (LoadedModel here = new OnnxBackend().load(file, Runs.options(budget));
        LoadedModel there = backend.load(file, Runs.options(budget));
        ModelExecutor expected = here.newExecutor(4);
        ModelExecutor actual = there.newExecutor(4)) {
      assertThat(there.inputs()).isEqualTo(here.inputs());
      assertThat(there.outputs()).isEqualTo(here.outputs());
      assertThat(there.reservedBytes()).isEqualTo(here.reservedBytes());
      for (int run = 0; run < 3; run++) {
        BatchResult right = expected.execute(batch);
        BatchResult result = actual.execute(batch);
        for (int r = 0; r < batch.size(); r++) {
          Tensor answer = result.outputs().get(r).get(0);
          assertThat(floats(result, r)).isEqualTo(floats(right, r));
          assertThat(answer.shape()).isEqualTo(right.outputs().get(r).get(0).shape());
          assertThat(answer.name()).isEqualTo("OUTPUT0");
        }
      }
    }
    assertThat(budget.reservedBytes()).as("everything is returned").isZero();
    workers.close();
    try (Stream<Path> left = Files.list(dir)) {
      assertThat(left).containsExactly(file);
    }
  }

  @Test
  void shouldCarryStringsAndShapesThatVary() {
    OnnxFiles.Value in = new OnnxFiles.Value("x", OnnxFiles.STRING, List.of("batch", "n"));
    OnnxFiles.Value out = new OnnxFiles.Value("y", OnnxFiles.STRING, List.of("batch", "n"));
    Path file = OnnxFiles.oneNode(dir.resolve("model.onnx"), "Identity", List.of(in), List.of(out));
    try (LoadedModel model = backend.load(file, Runs.options(budget));
        ModelExecutor executor = model.newExecutor(8)) {
      Tensor one = BytesTensors.ofStrings("x", Shape.of(1, 2), List.of("a", ""));
      Tensor two = BytesTensors.ofStrings("x", Shape.of(1, 2), List.of("lang", "länger"));
      BatchResult result =
          executor.execute(
              List.of(new Runs.Request(1, List.of(one)), new Runs.Request(1, List.of(two))));
      assertThat(BytesTensors.strings(result.outputs().get(0).get(0))).containsExactly("a", "");
      assertThat(BytesTensors.strings(result.outputs().get(1).get(0)))
          .containsExactly("lang", "länger");

      String large = "x".repeat(300_000);
      Tensor other = BytesTensors.ofStrings("x", Shape.of(1, 1), List.of(large));
      BatchResult grown = executor.execute(List.of(new Runs.Request(1, List.of(other))));
      assertThat(BytesTensors.strings(grown.outputs().get(0).get(0))).containsExactly(large);
    }
    assertThat(budget.reservedBytes()).isZero();
  }
}
