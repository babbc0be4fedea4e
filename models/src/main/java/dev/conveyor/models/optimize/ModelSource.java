package dev.conveyor.models.optimize;

import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.onnx.OnnxSession;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.DataSets;
import dev.conveyor.models.optimize.graph.OnnxFile;
import dev.conveyor.models.repository.ModelDirectory;
import dev.conveyor.models.repository.ModelRepository;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A model to work on, and data for it.
 *
 * @param bytes of its file
 * @param directory of the model in a repository, if the file is in one
 * @param batches whether its inputs have a dynamic first dimension
 */
@SuppressWarnings("ArrayRecordComponent") // Large, handed on, never compared.
public record ModelSource(
    Path file, byte[] bytes, Optional<ModelDirectory> directory, boolean batches, DataSet data) {

  /**
   * Opens a model and its data.
   *
   * @param model file, or directory of a model in a repository
   * @param configuration directory whose configuration says how images are preprocessed, if not the
   *     model's own
   * @throws OptimizeException if the model cannot be read or the data does not suit it
   */
  public static ModelSource open(Path model, Optional<Path> configuration, Path data) {
    Optional<ModelDirectory> directory = directoryOf(model);
    ModelConfig config =
        configuration
            .or(() -> directory.map(ModelDirectory::path))
            .map(ModelConfigReader::read)
            .orElseGet(() -> ModelConfig.empty("model"));
    Path file =
        Files.isDirectory(model)
            ? directory
                .map(d -> d.modelFile(d.versions().get(0), config))
                .orElseThrow(
                    () -> new OptimizeException(model + ": no version directory with a model"))
            : model;
    // Says what is wrong with a file in our words before ONNX Runtime does in its own.
    OnnxFile.read(file);
    byte[] bytes = read(file);
    try (OnnxSession session =
        new OnnxSession(file.toString(), bytes, OnnxSession.Options.threads(1))) {
      List<TensorSpec> inputs = session.inputs();
      List<Preprocessing> preprocessing = config.extensions().preprocessing();
      List<String> labels =
          directory.flatMap(d -> d.labels(config).values().stream().findFirst()).orElse(List.of());
      boolean batches =
          inputs.stream().allMatch(i -> i.shape().rank() > 0 && i.shape().dim(0) == Shape.DYNAMIC);
      return new ModelSource(
          file, bytes, directory, batches, DataSets.open(data, inputs, preprocessing, labels));
    } catch (ModelLoadException e) {
      throw new OptimizeException(String.valueOf(e.getMessage()), e);
    }
  }

  private static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new OptimizeException(file + ": cannot be read: " + e, e);
    }
  }

  /**
   * A file {@code repository/model/1/model.onnx} belongs to a repository, one elsewhere does not.
   */
  private static Optional<ModelDirectory> directoryOf(Path model) {
    Path absolute = model.toAbsolutePath().normalize();
    Path version = absolute.getParent();
    Path directory =
        Files.isDirectory(absolute)
            ? absolute
            : version != null && String.valueOf(version.getFileName()).matches("[1-9][0-9]*")
                ? version.getParent()
                : null;
    Path root = directory == null ? null : directory.getParent();
    if (directory == null || root == null) {
      return Optional.empty();
    }
    return Optional.of(new ModelRepository(root).open(String.valueOf(directory.getFileName())));
  }
}
