package dev.conveyor.memory.cpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * Reads files of {@code /sys}, each with one value. What is not there, may not be read, or vanishes
 * in between, is empty. Stateless; not for event loops.
 */
final class SysFiles {

  private SysFiles() {}

  /** Returns what is in a directory, in the order of names, if its name is as the pattern says. */
  static List<Path> list(Path directory, String namePattern) {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries
          .filter(entry -> String.valueOf(entry.getFileName()).matches(namePattern))
          .sorted()
          .toList();
    } catch (IOException | RuntimeException e) {
      return List.of();
    }
  }

  static String text(Path file) {
    try {
      return Files.readString(file).strip();
    } catch (IOException e) {
      return "";
    }
  }

  static OptionalLong number(Path file) {
    try {
      return OptionalLong.of(Long.parseLong(text(file)));
    } catch (NumberFormatException e) {
      return OptionalLong.empty();
    }
  }
}
