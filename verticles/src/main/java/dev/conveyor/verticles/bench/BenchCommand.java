package dev.conveyor.verticles.bench;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import dev.conveyor.verticles.bench.direct.BackendModel;
import dev.conveyor.verticles.bench.direct.DirectBench;
import dev.conveyor.verticles.bench.direct.DirectModel;
import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPoint;
import dev.conveyor.verticles.bench.report.LoadReport;
import dev.conveyor.verticles.bench.report.Plot;
import dev.conveyor.verticles.bench.suite.Suites;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * The command {@code bench}. Not thread-safe: one object, one run.
 *
 * <p>Exit codes: 0 if everything was measured and, in a suite, every row holds; 1 if not; 2 for a
 * wrong command line.
 */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    version = "Conveyor 0.1.0",
    sortOptions = false,
    description = {
      "Measures inference: a server under load, a model without a server (--direct), or a table of"
          + " figures against targets (--suite).",
      ""
    },
    footer = {
      "",
      "Examples:",
      "  bench --model identity --concurrency 1,2,4,8 --plot load.svg",
      "  bench --model a,b --rate 500 --protocol grpc --json load.json",
      "  bench --model faces --images photos --batch 4",
      "  bench --direct models/squeezenet.onnx --concurrency 2",
      "  bench --suite serving --json serving.json"
    })
public final class BenchCommand implements Callable<Integer> {

  @Spec private @Nullable CommandSpec spec;

  @Mixin private BenchOptions options = new BenchOptions();

  @Option(
      names = "--direct",
      paramLabel = "FILE",
      description =
          "Run this model file (or model directory) in this process instead: threads of one"
              + " intra-op thread each, without a server.")
  private @Nullable Path direct;

  @Option(
      names = "--backend",
      defaultValue = "onnxruntime",
      description = "Backend of --direct. Default: ${DEFAULT-VALUE}.")
  private String backend = "onnxruntime";

  @Option(
      names = "--suite",
      paramLabel = "NAME",
      description = "Measure a suite: faults, memory, optimization, scheduling, serving.")
  private @Nullable String suite;

  @Option(
      names = "--row",
      defaultValue = "",
      paramLabel = "TEXT",
      description = "Of a suite, only the rows whose figure contains this text.")
  private String row = "";

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description =
          "Example models and photos of a suite, DIR/models and DIR/images; docs/benchmarks.md says"
              + " which, and from where. Rows without theirs say so and are not measured. Default:"
              + " $CONVEYOR_TESTDATA, else ../shared/data beside the checkout.")
  private @Nullable Path data;

  @Option(names = "--json", paramLabel = "FILE", description = "Write the figures as JSON.")
  private @Nullable Path json;

  @Option(
      names = "--plot",
      paramLabel = "FILE",
      description = "Draw throughput and latency over the load; .svg or .png.")
  private @Nullable Path plot;

  @Option(names = "--title", description = "Title of the plot.")
  private @Nullable String title;

  /** Runs the command and ends the process with its exit code. */
  public static void main(String[] arguments) {
    // What libraries log would stand in the middle of the table.
    if (LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME) instanceof Logger root) {
      root.setLevel(Level.WARN);
    }
    // µ must not depend on the locale.
    int exitCode =
        commandLine()
            .setOut(new PrintWriter(System.out, true, StandardCharsets.UTF_8))
            .setErr(new PrintWriter(System.err, true, StandardCharsets.UTF_8))
            .execute(arguments);
    System.exit(exitCode);
  }

  /** Returns the command, with failures shown as one line. */
  public static CommandLine commandLine() {
    return new CommandLine(new BenchCommand())
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setParameterExceptionHandler(
            (wrong, arguments) -> {
              wrong.getCommandLine().getErr().println("bench: " + wrong.getMessage());
              wrong.getCommandLine().getErr().println("bench: see bench --help");
              return 2;
            })
        .setExecutionExceptionHandler(
            (failure, command, parsed) -> {
              String message = failure.getMessage();
              command.getErr().println("bench: " + (message == null ? failure : message));
              return failure instanceof IllegalArgumentException ? 2 : 1;
            });
  }

  @Override
  public Integer call() throws Exception {
    PrintWriter out = out();
    if (suite != null) {
      return Suites.run(suite, row, data, options.warmup(), options.duration(), json, out) ? 0 : 1;
    }
    if (plot != null) {
      Plot.requireFormat(plot);
    }
    List<LoadPoint> points =
        direct == null ? ServerBench.run(options, this::note) : runDirect(direct);
    out.print(LoadReport.table(points));
    if (json != null) {
      Files.writeString(json, LoadReport.json(points).encodePrettily() + "\n");
    }
    if (plot != null) {
      Plot.write(LoadReport.figure(plotTitle(), points), plot);
    }
    out.flush();
    return points.stream().allMatch(point -> point.inferences() > 0) ? 0 : 1;
  }

  private List<LoadPoint> runDirect(Path path)
      throws InterruptedException, IOException, TimeoutException {
    List<LoadPoint> points = new ArrayList<>();
    try (DirectModel model = BackendModel.load(path, backend, options.batch, options.fill)) {
      for (LoadPattern.Direct pattern : options.threads()) {
        note("measuring " + pattern.label());
        points.add(
            DirectBench.run(
                model, pattern.threads(), options.warmup(), options.duration(), ProcFs.ownCpu()));
      }
    }
    return points;
  }

  private String plotTitle() {
    if (title != null) {
      return title;
    }
    return direct != null
        ? direct.getFileName() + ", in process"
        : String.join(", ", options.models) + " over " + options.protocol;
  }

  private void note(String text) {
    PrintWriter err = console().getErr();
    err.println(text);
    err.flush();
  }

  private PrintWriter out() {
    return console().getOut();
  }

  private CommandLine console() {
    return Objects.requireNonNull(spec, "set by the parser").commandLine();
  }
}
