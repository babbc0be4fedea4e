package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.verticles.cli.gpucheck.Finding.Outcome;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Runs checks in processes like this one, each under its limit: one that crashes, hangs or loses
 * the device takes nothing with it. Immutable.
 */
final class CheckProcess {

  private static final int LAST_LINES = 3;
  private static final int CHARACTERS_OF_LOG = 4096;

  private final String mainClass;
  private final List<String> options;
  private final Path directory;

  /**
   * Prepares.
   *
   * @param mainClass understands {@code gpu-check --run NAME --result FILE}, and the options
   * @param options for every check
   * @param directory gets a log for each check
   */
  CheckProcess(String mainClass, List<String> options, Path directory) {
    this.mainClass = mainClass;
    this.options = List.copyOf(options);
    this.directory = directory;
  }

  /** Runs one and waits for it, at most for {@code limit}. */
  Finding run(String check, Duration limit) throws IOException, InterruptedException {
    Path result = directory.resolve(check + ".json");
    Path log = directory.resolve(check + ".log");
    Files.deleteIfExists(result);
    Process process =
        new ProcessBuilder(command(check, result))
            .redirectErrorStream(true)
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .redirectOutput(log.toFile())
            .start();
    try {
      if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        return ended(Outcome.TIMED_OUT, "killed after %d s".formatted(limit.toSeconds()), log);
      }
    } finally {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly().waitFor();
    }
    try {
      Finding finding = Finding.fromJson(new JsonObject(Files.readString(result)));
      Files.delete(result);
      return finding;
    } catch (IOException | DecodeException e) {
      return ended(Outcome.CRASHED, "ended with " + process.exitValue(), log);
    }
  }

  private List<String> command(String check, Path result) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (!option.startsWith("-agentlib") && !option.startsWith("-javaagent")) {
        command.add(option);
      }
    }
    command.addAll(List.of("-XX:-CreateCoredumpOnCrash", "-XX:ErrorFile=/dev/null"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), mainClass, "gpu-check"));
    command.addAll(List.of("--run", check, "--result", result.toString()));
    command.addAll(options);
    return command;
  }

  private static Finding ended(Outcome outcome, String how, Path log) throws IOException {
    byte[] bytes = Files.readAllBytes(log);
    int from = Math.max(0, bytes.length - CHARACTERS_OF_LOG);
    List<String> lines =
        new String(bytes, from, bytes.length - from, StandardCharsets.UTF_8)
            .lines()
            .filter(line -> !line.isBlank())
            .toList();
    String last =
        String.join(" | ", lines.subList(Math.max(0, lines.size() - LAST_LINES), lines.size()));
    return new Finding(outcome, "", last.isEmpty() ? how : how + ": " + last, Map.of());
  }
}
