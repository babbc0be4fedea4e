package dev.conveyor.models.optimize;

import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.optimize.graph.OnnxFile;
import dev.conveyor.models.repository.ModelDirectory;
import java.nio.file.Path;
import java.util.List;

/** Writes variants where they are served from. Stateless. */
public final class RepositoryWriter {

  private RepositoryWriter() {}

  /**
   * Writes a model as the next version of another, whose configuration then holds for it too.
   *
   * @return the file
   * @throws OptimizeException if ONNX Runtime refuses the model or it cannot be written; nothing is
   *     then there that was not before
   */
  public static Path writeNextVersion(ModelDirectory directory, ModelConfig config, byte[] model) {
    List<Long> versions = directory.versions();
    long next = versions.get(versions.size() - 1) + 1;
    Path file = directory.path().resolve(Long.toString(next)).resolve(config.modelFilename());
    writeFile(file, model);
    return file;
  }

  /** Writes a model to a file, if ONNX Runtime takes it. */
  public static void writeFile(Path file, byte[] model) {
    Optimizer.requireLoadable(file.toString(), model);
    OnnxFile.write(file, model);
  }
}
