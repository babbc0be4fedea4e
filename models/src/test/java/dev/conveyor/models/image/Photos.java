package dev.conveyor.models.image;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Assumptions;

/** The photos of the optional test data. */
final class Photos {

  private Photos() {}

  /** Returns a photo, or skips the test that asks for it. */
  static byte[] read(String name) throws IOException {
    Path file = directory().resolve("images").resolve(name);
    Assumptions.assumeTrue(
        Files.exists(file), () -> "no test data at " + file + ": set -Dconveyor.testdata");
    return Files.readAllBytes(file);
  }

  private static Path directory() {
    String set =
        Optional.ofNullable(System.getProperty("conveyor.testdata"))
            .orElse(System.getenv("CONVEYOR_TESTDATA"));
    // Tests run in the folder of the module.
    return set != null ? Path.of(set) : Path.of("..", "..", "shared", "data");
  }
}
