package dev.conveyor.models.repository;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.repository.RepositoryValidator.Finding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RepositoryValidatorTest {

  private static final Declared DECLARED =
      new Declared(
          List.of(new TensorSpec("x", DataType.FP32, Shape.of(-1, 3))),
          List.of(new TensorSpec("y", DataType.FP32, Shape.of(-1, 2))));

  private @TempDir Path root;

  @Test
  void shouldFindNothingWhenEverythingIsRight() throws IOException {
    model("a", "config.json", "{\"max_batch_size\": 4}");
    model("b", "config.pbtxt", "max_batch_size: 4");
    model("c", "README.md", "no configuration");

    assertThat(validator().validate()).isEmpty();
  }

  @Test
  void shouldFindTheProblemsOfEveryModel() throws IOException {
    Path typo = model("a", "config.json", "{\n\"max_batch\": 4\n}");
    Path wrong = model("b", "config.pbtxt", "input { name: \"z\" }");
    Files.createDirectories(root.resolve("c"));
    Files.createDirectories(root.resolve("d/1"));
    model("e", "README.md", "");

    assertThat(validator().validate())
        .containsExactly(
            new Finding(
                "a",
                typo.toString(),
                "line 2: max_batch: unknown key, did you mean \"max_batch_size\"?"),
            new Finding(
                "b",
                wrong.toString(),
                "input[0].name: expected an input of the model, which has [x], found \"z\""),
            new Finding(
                "c",
                root.resolve("c").toString(),
                "no version directory; a model needs at least one, named 1 or higher"),
            new Finding("d", root.resolve("d/1/model.onnx").toString(), "no such file"));
  }

  @Test
  void shouldFindEveryMissingFileOfAModel() throws IOException {
    model(
        "m",
        "config.json",
        """
        {"version_policy": {"all": {}},
         "output": [{"name": "y", "label_filename": "labels.txt"}],
         "model_warmup": [{"inputs": {"x": {
           "data_type": "TYPE_FP32", "dims": [3], "input_data_file": "raw"}}}]}
        """);
    Files.createDirectory(root.resolve("m/2"));

    assertThat(new RepositoryValidator(new ModelRepository(root)).validate())
        .extracting(Finding::file)
        .containsExactly(
            root.resolve("m/labels.txt").toString(),
            root.resolve("m/warmup/raw").toString(),
            root.resolve("m/2/model.onnx").toString());
  }

  @Test
  void shouldFindModelFilesThatCannotBeLoaded() throws IOException {
    model("m", "config.json", "{}");
    RepositoryValidator validator =
        new RepositoryValidator(
            new ModelRepository(root),
            (file, config) -> {
              throw new IllegalStateException("not a model");
            });

    assertThat(validator.validate())
        .containsExactly(
            new Finding(
                "m", root.resolve("m/1/model.onnx").toString(), "cannot be loaded: not a model"));
  }

  private RepositoryValidator validator() {
    return new RepositoryValidator(
        new ModelRepository(root), (file, config) -> Optional.of(DECLARED));
  }

  private Path model(String name, String file, String text) throws IOException {
    Path version = Files.createDirectories(root.resolve(name).resolve("1"));
    Files.writeString(version.resolve("model.onnx"), "");
    return Files.writeString(root.resolve(name).resolve(file), text);
  }
}
