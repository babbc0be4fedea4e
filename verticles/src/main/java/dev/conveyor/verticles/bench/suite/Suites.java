package dev.conveyor.verticles.bench.suite;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The suites by name. Stateless. */
public final class Suites {

  private static final Map<String, Function<Lab, Suite>> SUITES =
      new TreeMap<>(
          Map.of(
              "faults",
              FaultsSuite::new,
              "gpu",
              GpuSuite::new,
              "memory",
              MemorySuite::new,
              "optimization",
              OptimizationSuite::new,
              "pipelines",
              PipelinesSuite::new,
              "scheduling",
              SchedulingSuite::new,
              "serving",
              ServingSuite::new));

  private Suites() {}

  /**
   * Runs a suite and writes its rows.
   *
   * @param rows only rows whose figure contains this
   * @param data test data, or null for the usual place
   * @param json file for the rows, or null
   * @return whether every row holds
   * @throws IllegalArgumentException if there is no such suite
   */
  public static boolean run(
      String name,
      String rows,
      @Nullable Path data,
      Duration warmup,
      Duration duration,
      @Nullable Path json,
      PrintWriter out)
      throws IOException {
    Function<Lab, Suite> suites = SUITES.get(name);
    if (suites == null) {
      throw new IllegalArgumentException(
          "unknown suite \"%s\", there is: %s".formatted(name, String.join(", ", SUITES.keySet())));
    }
    List<RowResult> results;
    try (Suite suite = suites.apply(Lab.open(data, warmup, duration))) {
      results = SuiteRunner.run(suite, rows, out);
    }
    if (json != null) {
      Files.writeString(json, SuiteRunner.json(results).encodePrettily() + "\n");
    }
    return results.stream().allMatch(RowResult::holds);
  }
}
