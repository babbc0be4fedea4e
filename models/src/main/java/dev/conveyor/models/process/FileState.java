package dev.conveyor.models.process;

import dev.conveyor.models.backend.ModelLoadException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import org.jspecify.annotations.Nullable;

/**
 * What a file looked like when a model was loaded from it, so that a worker that is started later
 * does not serve another model under the same version.
 */
record FileState(long bytes, FileTime modified, @Nullable Object key) {

  /**
   * Takes note of a file.
   *
   * @throws ModelLoadException if it is not there
   */
  static FileState of(Path file) {
    try {
      BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
      return new FileState(attributes.size(), attributes.lastModifiedTime(), attributes.fileKey());
    } catch (IOException e) {
      throw new ModelLoadException(file + ": " + e, e);
    }
  }

  /**
   * Refuses a file that is not the one it was.
   *
   * @throws ModelLoadException if it changed or is gone
   */
  void requireSame(Path file) {
    if (!equals(of(file))) {
      throw new ModelLoadException(
          file + ": the file changed since the model was loaded; load the model again");
    }
  }
}
