package dev.conveyor.verticles.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Copies of what the product brings along, to be changed by a test. */
final class TestHome {

  /** The repository; tests run in the directory of their module. */
  static final Path REAL = Path.of("..");

  private TestHome() {}

  /** Copies a directory of the repository to the same place under {@code home}. */
  static void copy(String directory, Path home) throws IOException {
    List<Path> sources;
    try (Stream<Path> walk = Files.walk(REAL.resolve(directory))) {
      sources = walk.toList();
    }
    for (Path source : sources) {
      Path target = home.resolve(REAL.relativize(source));
      if (Files.isDirectory(source)) {
        Files.createDirectories(target);
      } else {
        Files.copy(source, target);
      }
    }
  }

  static void replace(Path file, String found, String replacement) {
    try {
      Files.writeString(file, Files.readString(file).replace(found, replacement));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
