package dev.conveyor.verticles.bench.suite;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Other programs of the machine. Stateless. */
final class Programs {

  private static final int SHOWN_CHARS = 600;

  private Programs() {}

  /** Returns whether a program is on the path. */
  static boolean isInstalled(String program) {
    String path = System.getenv("PATH");
    if (path == null) {
      return false;
    }
    for (String directory : path.split(File.pathSeparator, -1)) {
      if (Files.isExecutable(Path.of(directory, program))) {
        return true;
      }
    }
    return false;
  }

  /**
   * Runs a program to its end and returns what it printed, errors included.
   *
   * @throws CannotMeasureException if it fails or takes longer than {@code limit}
   */
  static String run(List<String> command, Path outputFile, Duration limit)
      throws IOException, InterruptedException {
    return finish(start(command, outputFile), command, outputFile, limit);
  }

  static Process start(List<String> command, Path outputFile) throws IOException {
    return start(command, Map.of(), outputFile);
  }

  /** Starts a program with these variables in its environment besides ours. */
  static Process start(List<String> command, Map<String, String> environment, Path outputFile)
      throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(outputFile.toFile());
    builder.environment().putAll(environment);
    return builder.start();
  }

  /** Waits for a program that was started. */
  static String finish(Process process, List<String> command, Path outputFile, Duration limit)
      throws IOException, InterruptedException {
    boolean ended = process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS);
    if (!ended) {
      process.destroyForcibly();
    }
    String output = Files.readString(outputFile, StandardCharsets.UTF_8);
    if (!ended || process.exitValue() != 0) {
      throw new CannotMeasureException(
          "%s %s: %s"
              .formatted(
                  Path.of(command.get(0)).getFileName(),
                  ended ? "ended with " + process.exitValue() : "took longer than " + limit,
                  tail(output)));
    }
    return output;
  }

  /** Returns the end of a text, which is where programs say why they failed. */
  static String tail(String text) {
    String trimmed = text.strip();
    return trimmed.length() <= SHOWN_CHARS
        ? trimmed
        : "…" + trimmed.substring(trimmed.length() - SHOWN_CHARS);
  }
}
