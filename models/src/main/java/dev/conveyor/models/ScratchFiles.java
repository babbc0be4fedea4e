package dev.conveyor.models;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * Files that are written under another name and then renamed, so that nobody reads half of one.
 * Thread-safe: no state; blocks.
 */
public final class ScratchFiles {

  private static final String SUFFIX = ".tmp";

  /**
   * Nobody writes one file for so long, on this machine or on another that shares the directory.
   */
  private static final long LEFT_AFTER_MS = TimeUnit.MINUTES.toMillis(10);

  private ScratchFiles() {}

  /**
   * Makes a scratch file, and removes those of the same prefix that processes have left which died
   * before they renamed them. What is old is told by the times of the files alone.
   *
   * @param prefix in the directory of nobody else
   */
  public static Path create(Path directory, String prefix) throws IOException {
    Path scratch = Files.createTempFile(directory, prefix, SUFFIX);
    long nowMs = Files.getLastModifiedTime(scratch).toMillis();
    try (DirectoryStream<Path> found =
        Files.newDirectoryStream(
            directory, path -> isScratch(path.getFileName().toString(), prefix))) {
      for (Path path : found) {
        if (nowMs - Files.getLastModifiedTime(path).toMillis() > LEFT_AFTER_MS) {
          Files.deleteIfExists(path);
        }
      }
    } catch (IOException e) {
      // Then they stay: this one is what matters.
      return scratch;
    }
    return scratch;
  }

  private static boolean isScratch(String name, String prefix) {
    return name.startsWith(prefix) && name.endsWith(SUFFIX);
  }
}
