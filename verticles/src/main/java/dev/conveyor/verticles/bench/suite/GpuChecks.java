package dev.conveyor.verticles.bench.suite;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What {@code gpu-check} finds on this machine: every check that a row asks for is run once, in a
 * process of its own, on all cores.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite.
 */
final class GpuChecks {

  /** Every check has a limit of its own; this is for what may hang around them. */
  private static final long LIMIT_MINUTES = 60;

  private static final String MAIN = "dev.conveyor.verticles.cli.Main";
  private static final int NO_GPU = 2;

  private final Lab lab;
  private final List<String> options;
  private final Map<String, JsonObject> found = new HashMap<>();
  private @Nullable String noGpu;

  /**
   * Creates a runner.
   *
   * @param options of {@code gpu-check}, besides which check to run
   */
  GpuChecks(Lab lab, List<String> options) {
    this.lab = lab;
    this.options = List.copyOf(options);
  }

  /**
   * Returns a number that a check found, times {@code factor}.
   *
   * @throws CannotMeasureException if there is no GPU, or the check was skipped or broke off
   */
  Measured number(String check, String number, double factor)
      throws IOException, InterruptedException {
    JsonObject finding = found.get(check);
    if (finding == null) {
      finding = run(check);
      found.put(check, finding);
    }
    Double value = finding.getJsonObject("numbers").getDouble(number);
    String reason = finding.getString("reason");
    if (value == null) {
      throw new CannotMeasureException(
          "gpu-check %s, %s: %s"
              .formatted(check, finding.getString("outcome").toLowerCase(Locale.ROOT), reason));
    }
    String how = finding.getString("figure") + (reason.isEmpty() ? "" : "; " + reason);
    return new Measured(factor * value, how);
  }

  private JsonObject run(String check) throws IOException, InterruptedException {
    if (noGpu != null) {
      throw new CannotMeasureException(noGpu);
    }
    Path out = Files.createTempDirectory(lab.scratch(), check);
    Path log = out.resolve("output");
    List<String> arguments =
        new ArrayList<>(List.of("gpu-check", "--only", check, "--out", out.toString()));
    arguments.addAll(options);
    Process process = Programs.start(lab.javaOnAllCores(List.of(), MAIN, arguments), log);
    if (!process.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      throw new CannotMeasureException("gpu-check took longer than an hour");
    }
    Path report = out.resolve("gpu-check.json");
    if (!Files.exists(report)) {
      String why = Programs.tail(Files.readString(log));
      noGpu = process.exitValue() == NO_GPU ? why : null;
      throw new CannotMeasureException(why);
    }
    JsonArray checks = new JsonObject(Files.readString(report)).getJsonArray("checks");
    return checks.getJsonObject(0);
  }
}
