package dev.conveyor.verticles.cli;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.repository.RepositoryException;
import dev.conveyor.models.tune.LoadShape;
import dev.conveyor.models.tune.Objective;
import dev.conveyor.models.tune.SuccessiveHalving;
import dev.conveyor.models.tune.TuneResult;
import dev.conveyor.verticles.bench.load.Payloads;
import dev.conveyor.verticles.bench.report.Plot;
import dev.conveyor.verticles.bench.tune.TuneSession;
import dev.conveyor.verticles.cli.tune.SpaceOptions;
import dev.conveyor.verticles.cli.tune.TuneReport;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * The command {@code tune}. Not thread-safe: one object, one run.
 *
 * <p>Exit codes: 0 if better settings were found or those there are are the best; 1 if nothing
 * meets the objective, or the model cannot be worked with; 2 for a wrong command line.
 */
@Command(
    name = "tune",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Finds the settings that serve a model best on this machine: instances, threads, batch size,"
          + " delay, version (so precision) and provider.",
      ""
    },
    footer = {
      "",
      "Examples:",
      "  tune conf/models/surface_classifier --p99 50 --concurrency 16 --plot front.svg",
      "  tune conf/models/surface_classifier --p99 50 --rate 200 --runs 24 --write"
    })
final class TuneCommand implements Callable<Integer> {

  @Spec private @Nullable CommandSpec spec;

  @Parameters(paramLabel = "MODEL", description = "A model's directory in a repository.")
  private Path model = Path.of("");

  @Option(
      names = "--p99",
      required = true,
      paramLabel = "MS",
      description = "Objective: the 99th percentile of the latencies is within this.")
  private double p99Ms;

  @Option(
      names = "--concurrency",
      paramLabel = "N",
      description = "Load shape: so many requests always in flight. Default: 8.")
  private @Nullable Integer concurrency;

  @Option(
      names = "--rate",
      paramLabel = "R",
      description = "Load shape instead: requests per second at random times.")
  private @Nullable Double rate;

  @Option(
      names = "--images",
      paramLabel = "DIR",
      description = "Send these JPEG and PNG files. Default: synthetic tensors.")
  private @Nullable Path images;

  @Option(
      names = "--runs",
      paramLabel = "N",
      defaultValue = "16",
      description = "Most runs under load. Default: 16.")
  private int runs = 16;

  @Option(
      names = "--duration",
      paramLabel = "SECONDS",
      defaultValue = "1",
      description = "Length of the shortest runs; doubles from round to round. Default: 1.")
  private double seconds = 1;

  @Mixin private SpaceOptions space = new SpaceOptions();

  @Option(names = "--plot", paramLabel = "FILE", description = "Draw the front; .svg or .png.")
  private @Nullable Path plot;

  @Option(names = "--json", paramLabel = "FILE", description = "Write what was measured.")
  private @Nullable Path json;

  @Option(names = "--write", description = "Write the best settings to the model's config.json.")
  private boolean write;

  @Option(names = "--out", paramLabel = "FILE", description = "Write them to this file.")
  private @Nullable Path out;

  @Override
  public Integer call() throws Exception {
    CommandSpec command = Objects.requireNonNull(spec);
    PrintWriter console = command.commandLine().getOut();
    PrintWriter errors = command.commandLine().getErr();
    try {
      LoadShape load = load();
      Objective objective = new Objective(p99Ms * 1e6);
      if (plot != null) {
        Plot.requireFormat(plot);
      }
      if (!(seconds > 0)) {
        throw new IllegalArgumentException("--duration: expected more than 0 s, found " + seconds);
      }
      if (runs < SuccessiveHalving.FEWEST_RUNS) {
        throw new IllegalArgumentException(
            "--runs: expected %d or more, found %d".formatted(SuccessiveHalving.FEWEST_RUNS, runs));
      }
      return tune(load, objective, console, errors);
    } catch (IllegalArgumentException e) {
      errors.println("conveyor: " + e.getMessage());
      return 2;
    } catch (OptimizeException
        | RepositoryException
        | ConfigException
        | ModelLoadException
        | InferenceException
        | IOException e) {
      errors.println("conveyor: " + e.getMessage());
      return 1;
    } finally {
      console.flush();
      errors.flush();
    }
  }

  private int tune(LoadShape load, Objective objective, PrintWriter console, PrintWriter errors)
      throws Exception {
    TuneSession session = TuneSession.open(model);
    requireWritable();
    List<Buffer> sent = images == null ? List.of() : Payloads.readImages(images);
    TuneResult result =
        session.search(
            space.of(session.usualSpace()),
            objective,
            load,
            sent,
            runs,
            Duration.ofMillis(Math.round(seconds * 1000)),
            step -> {
              errors.println(step);
              errors.flush();
            });
    TuneReport report = new TuneReport(session.model(), load, objective, result);
    console.print(report.text());
    boolean improves = result.improves(objective);
    if (improves) {
      write(session, result, console);
    } else if (write || out != null) {
      console.println("nothing written");
    }
    if (json != null) {
      Files.writeString(json, report.json().encodePrettily() + "\n");
    }
    if (plot != null) {
      Plot.write(report.figure(), plot);
    }
    return improves || objective.holds(result.baseline()) ? 0 : 1;
  }

  private void write(TuneSession session, TuneResult result, PrintWriter console) {
    for (Path file : targets()) {
      session
          .tunedConfig()
          .write(
              file,
              session.model(),
              result.best().setting(),
              result.baseline().setting().version());
      console.println("written to " + file);
    }
  }

  private List<Path> targets() {
    Path own = model.resolve(ModelConfigReader.JSON_FILENAME);
    if (out != null) {
      return write ? List.of(out, own) : List.of(out);
    }
    return write ? List.of(own) : List.of();
  }

  /** A second configuration beside the first would make the model unusable. */
  private void requireWritable() {
    Path pbtxt = model.resolve(ModelConfigReader.PBTXT_FILENAME);
    if (write && Files.exists(pbtxt)) {
      throw new ConfigException(
              "", "a model has one configuration file; use --out and replace it yourself")
          .in(pbtxt.toString(), 0);
    }
  }

  private LoadShape load() {
    if (rate != null && concurrency != null) {
      throw new IllegalArgumentException("--concurrency and --rate exclude each other");
    }
    return rate != null
        ? new LoadShape.Open(rate)
        : new LoadShape.Closed(concurrency == null ? 8 : concurrency);
  }
}
