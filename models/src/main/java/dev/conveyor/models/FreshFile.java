package dev.conveyor.models;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;

/**
 * What a file looks like that this process makes now: whose it is, and when it was made by the
 * clock of the file system, which may be that of another machine. Stateless.
 */
public final class FreshFile {

  private FreshFile() {}

  /**
   * Makes a file beside another and deletes it. Blocking.
   *
   * @throws IOException if none can be made there; then none can be deleted there, either
   */
  public static PosixFileAttributes beside(Path path) throws IOException {
    Path fresh = Files.createTempFile(path.getParent(), ".conveyor", ".now");
    try {
      return Files.readAttributes(fresh, PosixFileAttributes.class);
    } finally {
      Files.deleteIfExists(fresh);
    }
  }
}
