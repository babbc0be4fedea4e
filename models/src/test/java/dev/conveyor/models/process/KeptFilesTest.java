package dev.conveyor.models.process;

import static dev.conveyor.models.process.Runs.floats;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.OnnxFiles;
import dev.conveyor.models.OnnxFiles.Value;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.StringStringEntryProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.process.worker.WorkerMain;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class KeptFilesTest {

  @TempDir private Path dir;
  private Path version;
  private Path model;
  private Workers workers;

  @BeforeEach
  void start() throws IOException {
    version = Files.createDirectories(dir.resolve("repository/m/1"));
    model = version.resolve("model.plan");
    workers = new Workers(dir, WorkerMain.class.getName(), Duration.ofMinutes(5));
  }

  @AfterEach
  void stop() throws IOException {
    workers.close();
    try (Stream<Path> left = Files.list(dir)) {
      assertThat(left).containsExactly(dir.resolve("repository"));
    }
  }

  @Test
  void shouldReadTheFileWhereItIsAsLongAsItIsTheOneThatWasLoaded() throws IOException {
    Files.writeString(model, "an engine");
    try (KeptFiles kept = kept()) {
      assertThat(kept.toLoad()).isEqualTo(model);
    }
  }

  @Test
  void shouldLeaveTheDirectoriesBesideTheModelWhereTheyAre() throws IOException {
    Files.writeString(model, "an engine");
    Path engines = Files.createDirectory(version.resolve("engines"));
    try (KeptFiles kept = kept()) {
      Files.delete(model);
      Files.writeString(model, "another engine");

      Path read = kept.toLoad();

      assertThat(read).hasContent("an engine").hasFileName("model.plan");
      Files.writeString(read.resolveSibling("engines").resolve("built"), "with it");
    }
    assertThat(engines.resolve("built")).hasContent("with it");
  }

  @Test
  void shouldKeepNoFileThatChangedWhileItWasLoaded() throws IOException {
    Files.writeString(model, "an engine");
    FileState before = FileState.of(model);
    Files.delete(model);
    Files.writeString(model, "another engine");
    try (KeptFiles kept = KeptFiles.of(model, before, workers)) {
      assertThatThrownBy(() -> kept.toLoad())
          .isInstanceOf(ModelLoadException.class)
          .hasMessageContaining(model + ": the file changed");
    }
  }

  @Test
  void shouldRefuseAFileThatChangesWhileItIsLoadedOnceMore() throws IOException {
    model = OnnxFiles.identity(version.resolve("model.onnx"), 2);
    try (KeptFiles kept = kept()) {
      assertThatThrownBy(() -> kept.load(this::workerOfWhatIsWrittenOver))
          .isInstanceOf(ModelLoadException.class)
          .hasMessageContaining(model + ": the file changed");
    }
    assertThat(ProcessHandle.current().children().filter(ProcessHandle::isAlive)).isEmpty();
  }

  @Test
  void shouldLoadWhatWasLoadedWhenAnotherFileTakesItsNameMeanwhile() throws IOException {
    model = OnnxFiles.identity(version.resolve("model.onnx"), 2);
    Path other = OnnxFiles.identity(version.resolve("other.onnx"), 3);
    List<Path> asked = new ArrayList<>();
    try (KeptFiles kept = kept();
        LoadedWorker worker =
            kept.load(
                file -> {
                  asked.add(file);
                  if (asked.size() == 1) {
                    rename(other, model);
                  }
                  return worker(file);
                })) {
      assertThat(worker.inputs().get(0).shape().dim(1)).isEqualTo(2);
    }
    assertThat(asked).hasSize(2).startsWith(model);
    assertThat(ProcessHandle.current().children().filter(ProcessHandle::isAlive)).isEmpty();
  }

  @Test
  void shouldRefuseAFileThatIsWrittenOverWhileItIsLoadedFromWhatIsKept() throws IOException {
    model = OnnxFiles.identity(version.resolve("model.onnx"), 2);
    try (KeptFiles kept = kept()) {
      rename(OnnxFiles.identity(version.resolve("other.onnx"), 3), model);
      assertThatThrownBy(() -> kept.load(this::workerOfWhatIsWrittenOver))
          .isInstanceOf(ModelLoadException.class)
          .hasMessageContaining("the file changed");
    }
  }

  @Test
  void shouldLeadToWhereEnginesWereWhenTheirDirectoryIsGone() throws IOException {
    Files.writeString(model, "an engine");
    try (KeptFiles kept = kept()) {
      Files.delete(model);
      Files.delete(version);

      Path engines = kept.toLoad().resolveSibling("engines");

      assertThat(Files.readSymbolicLink(engines)).isEqualTo(version.resolve("engines"));
    }
  }

  @Test
  void shouldServeWeightsInAFileOfTheirOwnThatAnotherTookTheNameOf() throws IOException {
    MemoryBudget budget = new MemoryBudget("CPU", 256L << 20);
    Path onnx = withWeightsOutside(version.resolve("model.onnx"), 3);
    ProcessBackend backend = backend();
    try (LoadedModel loaded = backend.load(onnx, Runs.options(budget))) {
      loaded.newExecutor(4).close();
      withWeightsOutside(dir.resolve("repository/model.onnx"), 4);
      Files.move(
          dir.resolve("repository/weights.bin"),
          version.resolve("weights.bin"),
          StandardCopyOption.REPLACE_EXISTING);

      try (ModelExecutor executor = loaded.newExecutor(4)) {
        assertThat(floats(executor.execute(List.of(floats("x", 1, 2))), 0))
            .as("2 with the weight that was loaded, which is 3")
            .containsExactly(6);
      }
    }
    assertThat(budget.reservedBytes()).isZero();
  }

  private static void rename(Path from, Path to) {
    try {
      Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private KeptFiles kept() {
    return KeptFiles.of(model, FileState.of(model), workers);
  }

  private ProcessBackend backend() {
    return new ProcessBackend(workers, OnnxBackend.class, "onnxruntime", ProcessLimits.NONE);
  }

  private LoadedWorker worker(Path file) {
    return backend().start(file, Runs.options(new MemoryBudget("CPU", 256L << 20)));
  }

  /** Returns what has loaded a file, over which another model is written then. */
  private LoadedWorker workerOfWhatIsWrittenOver(Path file) {
    LoadedWorker worker = worker(file);
    OnnxFiles.identity(file, 3);
    return worker;
  }

  /** Writes {@code y = x * weight}, whose weight is in a file beside it. */
  private static Path withWeightsOutside(Path file, float weight) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(file.resolveSibling("weights.bin"), bytes.putFloat(0, weight).array());
    Value x = new Value("x", OnnxFiles.FLOAT, List.of("batch", 1));
    Value w = new Value("w", OnnxFiles.FLOAT, List.of(1));
    Value y = new Value("y", OnnxFiles.FLOAT, List.of("batch", 1));
    OnnxFiles.oneNode(file, "Mul", List.of(x, w), List.of(y));
    TensorProto outside =
        TensorProto.newBuilder()
            .setName("w")
            .setDataType(OnnxFiles.FLOAT)
            .addDims(1)
            .setDataLocation(TensorProto.DataLocation.EXTERNAL)
            .addExternalData(
                StringStringEntryProto.newBuilder().setKey("location").setValue("weights.bin"))
            .build();
    ModelProto.Builder proto = ModelProto.parseFrom(Files.readAllBytes(file)).toBuilder();
    proto.getGraphBuilder().removeInput(1).addInitializer(outside);
    return Files.write(file, proto.build().toByteArray());
  }
}
