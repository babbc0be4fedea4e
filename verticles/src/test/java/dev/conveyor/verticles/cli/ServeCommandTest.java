package dev.conveyor.verticles.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.models.config.ServerConfigReader;
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
  void shouldShipAFileThatSaysWhatHoldsAnyway() {
    Path home = TestHome.REAL.toAbsolutePath().normalize();

    assertThat(ServerConfigReader.read(TestHome.REAL.resolve("conf/conveyor.json")))
        .isEqualTo(ServerConfig.DEFAULT.withModelRepository(home.resolve("conf/models")));
  }
}
