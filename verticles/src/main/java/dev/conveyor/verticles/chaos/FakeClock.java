package dev.conveyor.verticles.chaos;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A wall clock that can be made to jump, for one process: that of the machine belongs to others. It
 * is libfaketime, which is put between the process and the C library and looks into a file for how
 * far its clock is off; the monotonic clock stays as it is, as it does when somebody sets a clock.
 *
 * <p>Not thread-safe: owned by the run.
 */
final class FakeClock {

  private static final String LIBRARY = "faketime/libfaketimeMT.so.1";

  private static final List<Path> PLACES =
      List.of(Path.of("/usr/lib"), Path.of("/usr/lib64"), Path.of("/usr/local/lib"));

  private final Path library;
  private final Path file;

  private FakeClock(Path library, Path file) {
    this.library = library;
    this.file = file;
  }

  /** Returns one that is right, or nothing if the library is not installed. */
  static Optional<FakeClock> in(Path scratch) throws IOException {
    for (Path place : PLACES) {
      Path library = find(place);
      if (library != null) {
        FakeClock clock = new FakeClock(library, scratch.resolve("clock"));
        clock.shift(Duration.ZERO);
        return Optional.of(clock);
      }
    }
    return Optional.empty();
  }

  /** Distributions put it beside the libraries of an architecture, or not. */
  private static @Nullable Path find(Path place) throws IOException {
    if (Files.exists(place.resolve(LIBRARY))) {
      return place.resolve(LIBRARY);
    } else if (!Files.isDirectory(place)) {
      return null;
    }
    try (Stream<Path> architectures = Files.list(place)) {
      return architectures
          .map(architecture -> architecture.resolve(LIBRARY))
          .filter(Files::exists)
          .findFirst()
          .orElse(null);
    }
  }

  /** Makes a process that is about to start have this clock. */
  void giveTo(Map<String, String> environment) {
    environment.put("LD_PRELOAD", library.toString());
    environment.put("FAKETIME_TIMESTAMP_FILE", file.toString());
    // It looks into the file when more than this many seconds have passed.
    environment.put("FAKETIME_CACHE_DURATION", "1");
    environment.put("FAKETIME_DISABLE_SHM", "1");
    environment.put("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    // Otherwise waits that are timed by the monotonic clock end at once.
    environment.put("FAKETIME_FORCE_MONOTONIC_FIX", "0");
  }

  /** From now on the clock is wrong by so much. */
  void shift(Duration offset) throws IOException {
    Path next = file.resolveSibling("clock.next");
    Files.writeString(next, "%+d\n".formatted(offset.toSeconds()));
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
  }
}
