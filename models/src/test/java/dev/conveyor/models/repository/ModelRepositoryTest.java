package dev.conveyor.models.repository;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelRepositoryTest {

  private @TempDir Path directory;
  private Path root;
  private ModelRepository repository;

  @BeforeEach
  void createRepository() throws IOException {
    root = Files.createDirectory(directory.resolve("models"));
    repository = new ModelRepository(root);
  }

  @Test
  void shouldListDirectoriesThatAreNotHidden() throws IOException {
    Files.createDirectory(root.resolve("b"));
    Files.createDirectory(root.resolve("a b"));
    Files.createDirectory(root.resolve(".git"));
    Files.writeString(root.resolve("README.md"), "");

    assertThat(repository.list()).containsExactly("a b", "b");
  }

  @Test
  void shouldFindVersionsInNumericOrder() throws IOException {
    for (String name : List.of("10", "9", "0", "01", "v1", "1.5", "-1", "99999999999999999999")) {
      Files.createDirectories(root.resolve("m").resolve(name));
    }
    Files.writeString(root.resolve("m/7"), "a file is no version");

    assertThat(repository.open("m").versions()).containsExactly(9L, 10L);
    assertThat(repository.open("m").served(ModelConfig.empty("m"))).containsExactly(10L);
  }

  @Test
  void shouldRefuseAModelWithoutVersions() throws IOException {
    Files.createDirectory(root.resolve("m"));

    assertThatThrownBy(() -> repository.open("m"))
        .isInstanceOf(RepositoryException.class)
        .hasMessage(
            root.resolve("m")
                + ": no version directory; a model needs at least one, named 1 or higher");
  }

  @Test
  void shouldRefuseAPolicyThatLeavesNoVersion() throws IOException {
    Files.createDirectories(root.resolve("m/2"));
    ModelConfig config =
        ModelConfigReader.read("m", "{\"version_policy\": {\"specific\": {\"versions\": [1]}}}");

    assertThatThrownBy(() -> repository.open("m").served(config))
        .isInstanceOf(RepositoryException.class)
        .hasMessageContaining("no version to serve")
        .hasMessageContaining("found [2]");
  }

  @Test
  void shouldFindTheModelFile() throws IOException {
    Files.createDirectories(root.resolve("m/1"));
    Path standard = Files.writeString(root.resolve("m/1/model.onnx"), "");
    Path named = Files.writeString(root.resolve("m/1/net.onnx"), "");
    ModelDirectory model = repository.open("m");

    assertThat(model.modelFile(1, ModelConfig.empty("m"))).isEqualTo(standard);
    assertThat(
            model.modelFile(
                1, ModelConfigReader.read("m", "{\"default_model_filename\": \"net.onnx\"}")))
        .isEqualTo(named);
    assertThatThrownBy(() -> model.modelFile(2, ModelConfig.empty("m")))
        .isInstanceOf(RepositoryException.class)
        .hasMessage(root.resolve("m/2/model.onnx") + ": no such file");
  }

  @Test
  void shouldReadLabels() throws IOException {
    Files.createDirectories(root.resolve("m/1"));
    Files.writeString(root.resolve("m/labels.txt"), "cat\r\nguide dog\n");
    ModelConfig config =
        ModelConfigReader.read(
            "m",
            "{\"output\": [{\"name\": \"y\", \"label_filename\": \"labels.txt\"},"
                + " {\"name\": \"z\"}]}");

    assertThat(repository.open("m").labels(config))
        .isEqualTo(Map.of("y", List.of("cat", "guide dog")));
    assertThatThrownBy(() -> repository.open("m").labels("none.txt"))
        .isInstanceOf(RepositoryException.class)
        .hasMessage(root.resolve("m/none.txt") + ": no such file");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", ".", "..", "../m", "a/b", "a\\b", "/etc", ".hidden", "a\u0000b", "C:", "m\n"})
  void shouldRefuseNamesThatAreNotPlain(String name) throws IOException {
    Files.createDirectories(root.resolve("m/1"));

    assertThatThrownBy(() -> repository.open(name))
        .isInstanceOf(RepositoryException.class)
        .hasMessageContaining("a plain name is needed");
  }

  @Test
  void shouldSayThatAModelIsUnknown() {
    assertThatThrownBy(() -> repository.open("m"))
        .isInstanceOf(RepositoryException.class)
        .hasMessage(root.resolve("m") + ": no such model directory");
  }

  @Test
  void shouldRefuseLinksOutOfTheRepository() throws IOException {
    Path outside = Files.createDirectories(directory.resolve("outside/1"));
    Files.writeString(outside.resolve("model.onnx"), "");
    Files.writeString(directory.resolve("outside/labels.txt"), "secret");
    Files.createSymbolicLink(root.resolve("linked"), directory.resolve("outside"));
    Files.createDirectories(root.resolve("m"));
    Files.createSymbolicLink(root.resolve("m/1"), outside);
    Files.createSymbolicLink(root.resolve("m/labels.txt"), directory.resolve("outside/labels.txt"));
    ModelDirectory model = repository.open("m");

    assertThat(repository.list()).containsExactly("linked", "m");
    assertThatThrownBy(() -> repository.open("linked"))
        .isInstanceOf(RepositoryException.class)
        .hasMessageContaining("leads out of the repository");
    assertThatThrownBy(() -> model.modelFile(1, ModelConfig.empty("m")))
        .isInstanceOf(RepositoryException.class)
        .hasMessageContaining("leads out of the repository");
    assertThatThrownBy(() -> model.labels("labels.txt"))
        .isInstanceOf(RepositoryException.class)
        .hasMessageContaining("leads out of the repository");
  }

  @Test
  void shouldFollowLinksInsideOfTheRepository() throws IOException {
    Files.createDirectories(root.resolve("real/1"));
    Files.createSymbolicLink(root.resolve("alias"), root.resolve("real"));

    assertThat(repository.open("alias").versions()).containsExactly(1L);
  }

  @Test
  void shouldNameTheConfigurationFileWhenItContradictsTheModel() throws IOException {
    Files.createDirectories(root.resolve("m/1"));
    Path file = Files.writeString(root.resolve("m/config.json"), "{\"input\":[{\"name\":\"a\"}]}");
    ModelDirectory model = repository.open("m");
    TensorSpec input = new TensorSpec("x", DataType.FP32, Shape.of(1));

    assertThatThrownBy(() -> model.complete(model.readConfig(), List.of(input), List.of()))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith(file + ": input[0].name: expected an input of the model");
  }

  @Test
  void shouldSayThatTheRepositoryIsMissing() {
    Path missing = directory.resolve("none");

    assertThatThrownBy(() -> new ModelRepository(missing).list())
        .isInstanceOf(RepositoryException.class)
        .hasMessageStartingWith(missing + ": no such directory");
  }

  @Property
  void shouldNeverTakeANameThatLeadsElsewhere(@ForAll String name) {
    if (ModelRepository.isPlainName(name)) {
      Path base = Path.of("/models");
      assertThat(base.resolve(name).normalize().getParent()).isEqualTo(base);
    } else {
      assertThat(name).matches("(?s)|\\..*|.*[/\\\\:\\p{Cc}].*|.{256,}");
    }
  }
}
