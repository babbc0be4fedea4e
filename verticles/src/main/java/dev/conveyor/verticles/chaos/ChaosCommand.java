package dev.conveyor.verticles.chaos;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Breaks a server under load. Exit codes: 0 if nothing was lost, 1 if something was, 2 for usage.
 */
@Command(
    name = "chaos",
    mixinStandardHelpOptions = true,
    description =
        "Starts a server with three models, keeps it under load, breaks one model at a time in every way and"
            + " counts what was lost.")
public final class ChaosCommand implements Callable<Integer> {

  private static final String ROW =
      "%-16s %8s %8s %7s %8s %6s %6s %7s %8s %9s %9s %8s %8s %8s %8s%n";

  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--seconds",
      paramLabel = "N",
      defaultValue = "60",
      description =
          "About how long each fault alone takes together, at least 10; faults that last come on"
              + " top. Default: ${DEFAULT-VALUE}.")
  private int seconds;

  @Option(
      names = "--mix",
      paramLabel = "N",
      defaultValue = "20",
      description =
          "How many seconds faults are then injected at random, several at once; 0 for not at all."
              + " Default: ${DEFAULT-VALUE}.")
  private int mix;

  @Option(names = "--json", paramLabel = "FILE", description = "Write the table as JSON, too.")
  private @Nullable Path json;

  @Option(
      names = "--fault",
      paramLabel = "NAME",
      split = ",",
      description = "Only these faults; --list says which there are.")
  private List<String> names = new ArrayList<>();

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "1",
      description =
          "How often each fault is injected alone, windows with and without it in turns; latencies"
              + " are of all rounds together, times the worst. Default: ${DEFAULT-VALUE}.")
  private int rounds;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Of the random mix.")
  private long seed;

  @Option(
      names = "--patience",
      paramLabel = "SECONDS",
      defaultValue = "20",
      description =
          "How long to wait for an answer until it counts as lost. Default: ${DEFAULT-VALUE}.")
  private int patience;

  @Option(names = "--list", description = "List the faults and exit.")
  private boolean list;

  @Override
  public Integer call() throws Exception {
    CommandLine line = Objects.requireNonNull(spec).commandLine();
    PrintWriter out = line.getOut();
    if (list) {
      for (Fault fault : Fault.values()) {
        out.printf("%-16s %s%n", fault.label(), fault.title());
      }
      out.flush();
      return 0;
    }
    if (seconds < 10) {
      throw new CommandLine.ParameterException(line, "--seconds must be at least 10");
    }
    if (rounds < 1) {
      throw new CommandLine.ParameterException(line, "--rounds must be at least 1");
    }
    if (mix < 0) {
      throw new CommandLine.ParameterException(line, "--mix must be at least 0");
    }
    ChaosRun run =
        new ChaosRun(
            new ChaosPlan(
                faults(line),
                Duration.ofSeconds(seconds),
                rounds,
                Duration.ofSeconds(mix),
                seed,
                Duration.ofSeconds(patience)));
    out.printf(
        ROW,
        "fault",
        "sent",
        "right",
        "errors",
        "refused",
        "wrong",
        "lost",
        "others",
        "skipped",
        "detect ms",
        "again ms",
        "p99 was",
        "p99 is",
        "own was",
        "own is");
    ChaosRun.Report report =
        run.run(
            result -> {
              out.printf(ROW, result.cells().toArray());
              result.surprises().forEach(surprise -> out.printf("  %s%n", surprise));
              out.flush();
            });
    report.impossible().forEach((fault, why) -> out.printf("%-16s not made: %s%n", fault, why));
    out.printf(
        "%.0f requests/s; the server ended with %d; %s%n",
        report.perSecond(),
        report.exitCode(),
        report.holds() ? "nothing was lost" : "something was lost");
    out.flush();
    if (json != null) {
      Files.writeString(json, json(report).encodePrettily() + "\n");
    }
    return report.holds() ? 0 : 1;
  }

  private List<Fault> faults(CommandLine line) {
    if (names.isEmpty()) {
      return Arrays.asList(Fault.values());
    }
    List<Fault> faults = new ArrayList<>();
    for (String name : names) {
      faults.add(
          Fault.of(name)
              .orElseThrow(
                  () ->
                      new CommandLine.ParameterException(
                          line,
                          "unknown fault \"%s\", there is: %s"
                              .formatted(
                                  name,
                                  Arrays.stream(Fault.values())
                                      .map(Fault::label)
                                      .collect(Collectors.joining(", "))))));
    }
    return faults;
  }

  private static JsonObject json(ChaosRun.Report report) {
    JsonArray rows = new JsonArray();
    report.results().forEach(result -> rows.add(result.json()));
    return new JsonObject()
        .put("requests_per_second", report.perSecond())
        .put("faults", rows)
        .put("not_made", new JsonObject(new TreeMap<>(report.impossible())))
        .put("exit_code", report.exitCode())
        .put("holds", report.holds());
  }
}
