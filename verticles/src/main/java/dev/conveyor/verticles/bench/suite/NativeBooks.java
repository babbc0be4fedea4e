package dev.conveyor.verticles.bench.suite;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Exact books of what native code in another process holds: a library that stands before the C
 * allocator and leaves out what the JVM asks for. Built with a C compiler; Linux with the GNU C
 * library.
 *
 * <p>Not thread-safe: owned by the row that measures.
 */
final class NativeBooks {

  private static final Duration BUILD_LIMIT = Duration.ofMinutes(1);
  private static final Duration ANSWER_LIMIT = Duration.ofSeconds(30);
  private static final long POLL_MS = 20;
  private static final int SHOWN_PLACES = 3;

  private final Path library;
  private final Path report;

  private NativeBooks(Path library, Path report) {
    this.library = library;
    this.report = report;
  }

  /** What was held at an instant: bytes, blocks, and a line for each place that asked for some. */
  record Page(long bytes, long blocks, Map<String, Long> places) {

    /**
     * Reads what the library wrote: {@code total BYTES BLOCKS}, then {@code BYTES BLOCKS PLACE}.
     */
    static Page parse(List<String> lines) {
      String[] total = lines.get(0).split(" ", -1);
      Map<String, Long> places = new LinkedHashMap<>();
      for (String line : lines.subList(1, lines.size())) {
        String[] fields = line.split(" ", 3);
        places.merge(fields.length > 2 ? fields[2] : "?", Long.parseLong(fields[0]), Long::sum);
      }
      return new Page(Long.parseLong(total[1]), Long.parseLong(total[2]), places);
    }

    /** Returns the places that hold more than they did, the largest growth first. */
    List<String> grownSince(Page before) {
      return places.entrySet().stream()
          .map(
              place ->
                  Map.entry(
                      place.getKey(),
                      place.getValue() - before.places.getOrDefault(place.getKey(), 0L)))
          .filter(place -> place.getValue() > 0)
          .sorted(Map.Entry.<String, Long>comparingByValue().reversed())
          .limit(SHOWN_PLACES)
          .map(place -> "%d at %s".formatted(place.getValue(), place.getKey()))
          .toList();
    }
  }

  /**
   * Builds the library into {@code work}, from the sources of the program at {@code home}.
   *
   * @throws CannotMeasureException if it cannot be built
   */
  static NativeBooks build(Path home, Path work) throws IOException, InterruptedException {
    Path script = home.resolve(Path.of("scripts", "native-books", "build")).toAbsolutePath();
    if (!Files.isExecutable(script)) {
      throw new CannotMeasureException(script + " is not there");
    }
    Path library = work.resolve("books.so");
    Programs.run(
        List.of(script.toString(), library.toString()), work.resolve("books.log"), BUILD_LIMIT);
    return new NativeBooks(library, work.resolve("books.txt"));
  }

  /** Returns what the environment of the process must say. */
  Map<String, String> environment() {
    return Map.of("LD_PRELOAD", library.toString(), "CONVEYOR_BOOKS", report.toString());
  }

  /** Asks the process for its books. */
  Page read() throws IOException, InterruptedException {
    Path ask = Files.createFile(report.resolveSibling(report.getFileName() + ".ask"));
    long end = System.nanoTime() + ANSWER_LIMIT.toNanos();
    while (Files.exists(ask)) {
      if (System.nanoTime() - end > 0) {
        throw new CannotMeasureException("the books of native memory gave no answer");
      }
      Thread.sleep(POLL_MS);
    }
    return Page.parse(Files.readAllLines(report, StandardCharsets.UTF_8));
  }
}
