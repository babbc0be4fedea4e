package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.Warmup;
import dev.conveyor.models.repository.ModelDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * The files of a model's warm-ups, read once, when it is loaded: instances that are probed or
 * replaced later run what those ran that came up first, whatever becomes of the files. Stateless.
 */
final class WarmupFiles {

  private WarmupFiles() {}

  /**
   * Reads every file that the warm-ups name; by the name in the configuration. Blocking.
   *
   * @throws dev.conveyor.models.repository.RepositoryException if one is not there
   * @throws ModelLoadException if one cannot be read
   */
  static Map<String, byte[]> read(ModelDirectory directory, ModelConfig config) {
    Map<String, byte[]> data = new HashMap<>();
    for (Warmup warmup : config.warmups()) {
      for (Warmup.Input input : warmup.inputs().values()) {
        if (input.data() == Warmup.Data.FILE) {
          data.computeIfAbsent(input.dataFile(), name -> read(directory.warmupFile(name)));
        }
      }
    }
    return data;
  }

  private static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new ModelLoadException(file + " cannot be read: " + e, e);
    }
  }

  /** Returns how much memory that takes. */
  static long bytes(Map<String, byte[]> data) {
    return data.values().stream().mapToLong(each -> each.length).sum();
  }
}
