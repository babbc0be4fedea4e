package dev.conveyor.verticles.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.models.config.ServerConfigReader;
import dev.conveyor.verticles.server.TestModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServeCommandTest {

  @Test
  void shouldFindNothingWrongWithTheModelsThatComeAlong() {
    Line line = Line.execute(new ServeCommand(), "--validate", "--home", TestHome.REAL.toString());

    assertThat(line.out()).endsWith("4 models, 0 findings%n".formatted());
    assertThat(line.exitCode()).isZero();
  }

  @Test
  void shouldNameFileKeyFoundAndExpectedWhenAModelIsWrong(@TempDir Path home) throws IOException {
    TestHome.copy("conf/models", home);
    Path broken = home.resolve("conf/models/surface_classifier/config.json");
    TestHome.replace(broken, "\"dims\": [4]", "\"dims\": [5]");
    TestHome.replace(
        home.resolve("conf/models/surface_segmenter/config.json"), "max_batch_size", "max_batch");

    Line line = Line.execute(new ServeCommand(), "--validate", "--home", home.toString());

    assertThat(line.exitCode()).isEqualTo(1);
    assertThat(line.out().lines())
        .anyMatch(
            text ->
                text.contains(broken.toString())
                    && text.contains("dims")
                    && text.contains("[5]")
                    && text.contains("[4]"))
        .anyMatch(text -> text.contains("max_batch: unknown key"))
        .anyMatch(
            text ->
                text.startsWith("inspection: ")
                    && text.contains("ensemble_scheduling.step[0].model_name")
                    && text.contains("surface_classifier"))
        .last()
        .asString()
        .endsWith("4 models, 4 findings");
  }

  @Test
  void shouldLookIntoModelsAsTheirBackendsDo(@TempDir Path home) throws IOException {
    TestModels models = new TestModels(home.resolve("conf/models"));
    models
        .file("plan", "1/model.plan", "an engine")
        .config(
            "plan",
            """
            {"platform": "tensorrt_plan", "max_batch_size": 2,
             "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [4]}],
             "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [4]}]}""")
        .identity("on_cuda", 4)
        .config(
            "on_cuda", "{\"parameters\": {\"execution_provider\": {\"string_value\": \"cuda\"}}}")
        .identity("engine", 4)
        .config(
            "engine",
            """
            {"optimization": {"execution_accelerators": {"gpu_execution_accelerator": [
                {"name": "tensorrt", "parameters": {"precision_mode": "FP12"}}]}}}""")
        .identity("provider", 4)
        .config(
            "provider",
            "{\"parameters\": {\"execution_provider\": {\"string_value\": \"abacus\"}}}")
        .identity("cuda_option", 4)
        .config("cuda_option", "{\"parameters\": {\"use_tf32\": {\"string_value\": \"x\"}}}")
        .identity("misspelt", 4)
        .config("misspelt", "{\"parameters\": {\"use_tf23\": {\"string_value\": \"1\"}}}");

    Line line = Line.execute(new ServeCommand(), "--validate", "--home", home.toString());

    assertThat(line.out().lines().filter(text -> !text.contains(": note: ")))
        .satisfiesExactlyInAnyOrder(
            text -> assertThat(text).startsWith("engine: ").contains("config.json", "FP12"),
            text -> assertThat(text).startsWith("provider: ").contains("config.json", "abacus"),
            text -> assertThat(text).startsWith("cuda_option: ").contains("use_tf32"),
            text -> assertThat(text).endsWith("6 models, 3 findings"));
    assertThat(line.out()).contains("misspelt: note: parameters.use_tf23", "did you mean");
    assertThat(line.exitCode()).isEqualTo(1);
  }

  @Test
  void shouldTakeTheRepositoryFromBesideTheFileThatNamesIt(@TempDir Path directory)
      throws IOException {
    TestHome.copy("conf/models", directory);
    Path file =
        Files.writeString(
            directory.resolve("server.json"), "{\"model_repository\": \"conf/../conf/models\"}");

    Line line = Line.execute(new ServeCommand(), file.toString(), "--validate");

    assertThat(line.out())
        .isEqualTo("%s: 4 models, 0 findings%n".formatted(directory.resolve("conf/models")));
    assertThat(line.exitCode()).isZero();
  }

  @Test
  void shouldRefuseAConfigurationThatCannotBeRead(@TempDir Path directory) throws IOException {
    Path file = Files.writeString(directory.resolve("server.json"), "{\"http\": {\"prt\": 1}}");

    Line line = Line.execute(new ServeCommand(), file.toString());

    assertThat(line.exitCode()).isEqualTo(2);
    assertThat(line.err()).contains("server.json", "http.prt: unknown key", "\"port\"");
  }

  @Test
  void shouldNotStartWithoutItsModels(@TempDir Path directory) throws IOException {
    Path file =
        Files.writeString(directory.resolve("server.json"), "{\"model_repository\": \"modelz\"}");

    Line line = Line.execute(new ServeCommand(), file.toString());

    assertThat(line.exitCode()).isEqualTo(1);
    assertThat(line.err())
        .startsWith("conveyor: cannot start: " + directory.resolve("modelz"))
        .contains("no such directory; it should hold the models");
  }

  @Test
  void shouldShipAFileThatSaysWhatHoldsAnyway() {
    Path home = TestHome.REAL.toAbsolutePath().normalize();

    assertThat(ServerConfigReader.read(TestHome.REAL.resolve("conf/conveyor.json")))
        .isEqualTo(ServerConfig.DEFAULT.withModelRepository(home.resolve("conf/models")));
  }
}
