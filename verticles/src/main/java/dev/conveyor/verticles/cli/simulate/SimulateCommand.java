package dev.conveyor.verticles.cli.simulate;

import dev.conveyor.models.config.ConfigException;
import dev.conveyor.scheduler.simulation.GoodputSearch;
import dev.conveyor.scheduler.simulation.Scenario;
import dev.conveyor.scheduler.simulation.ScenarioReader;
import dev.conveyor.scheduler.simulation.SimulationResult;
import dev.conveyor.scheduler.simulation.policy.Policies;
import dev.conveyor.verticles.bench.report.Figure;
import dev.conveyor.verticles.bench.report.Plot;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * The command {@code simulate}. Not thread-safe: one object, one run.
 *
 * <p>Exit codes: 0 if the scenario was run; 2 if it, or the command line, is wrong.
 */
@Command(
    name = "simulate",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Runs the scheduler, and the policies of others, through a scenario under virtual time."
          + " Without a rate it finds each policy's goodput: the highest rate at which at most 1 %%"
          + " of the requests are late or refused.",
      ""
    },
    footer = {
      "",
      "Examples:",
      "  simulate conf/simulations/midgpu-8x8.json",
      "  simulate conf/simulations/cpu-1x1.json --policy conveyor,fifo --rate 40",
      "  simulate conf/simulations/midgpu-8x8.json --plot overload.svg --json overload.json"
    })
public final class SimulateCommand implements Callable<Integer> {

  /** Offered rates of a plot, as parts of the best goodput. */
  private static final double[] LOADS = {0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2};

  private static final double OVERLOAD = 2;

  @Spec private @Nullable CommandSpec spec;

  @Parameters(paramLabel = "SCENARIO", description = "The scenario's file; see conf/simulations.")
  private Path file = Path.of("");

  @Option(
      names = "--policy",
      paramLabel = "NAME",
      split = ",",
      description =
          "Policies to run, or all. Default: all. There is conveyor (the production core), fifo,"
              + " fixed-delay-10, -25 and -50 (per cent of the objective), edf, sliding-window,"
              + " symphony, symphony-drop, shrink-or-drop; and, for devices with memory_megabytes,"
              + " where all is conveyor and what moves models: planned, repacked, greedy.")
  private List<String> policies = List.of("all");

  @Option(
      names = "--rate",
      paramLabel = "N",
      description = "Requests per second of all models together, instead of finding the goodput.")
  private @Nullable Double rate;

  @Option(names = "--json", paramLabel = "FILE", description = "Write the figures as JSON.")
  private @Nullable Path json;

  @Option(
      names = "--plot",
      paramLabel = "FILE",
      description =
          "Draw what is answered in time over what is offered, up to twice the best goodput;"
              + " .svg or .png.")
  private @Nullable Path plot;

  @Override
  public Integer call() throws Exception {
    PrintWriter err = console().getErr();
    try {
      if (plot != null) {
        Plot.requireFormat(plot);
      }
      run(ScenarioReader.read(file));
      return 0;
    } catch (ConfigException | IllegalArgumentException e) {
      err.println("simulate: " + e.getMessage());
      return 2;
    }
  }

  private void run(Scenario scenario) throws Exception {
    List<String> names = policies.contains("all") ? all(scenario) : policies;
    names.forEach(Policies::find);
    PrintWriter out = console().getOut();
    out.printf(
        "%s: %d slots, %d models, %.0f s of virtual time, bound %.0f/s%n",
        scenario.name(),
        scenario.slots(),
        scenario.models().size(),
        scenario.durationNs() / 1e9,
        scenario.boundPerSecond());
    double fixed = rate != null ? rate : scenario.ratePerSecond();
    Map<String, Double> goodput = new LinkedHashMap<>();
    if (fixed == 0 || plot != null) {
      for (String name : names) {
        goodput.put(name, GoodputSearch.find(scenario, Policies.find(name)));
      }
    }
    double best = goodput.values().stream().mapToDouble(Double::doubleValue).max().orElse(0);
    double at = fixed > 0 ? fixed : OVERLOAD * (best > 0 ? best : scenario.boundPerSecond());
    Map<String, SimulationResult> results = new LinkedHashMap<>();
    for (String name : names) {
      results.put(name, GoodputSearch.run(scenario, Policies.find(name), at));
    }
    if (!goodput.isEmpty()) {
      out.print(SimulationReport.goodputTable(goodput, scenario.boundPerSecond()));
      out.println();
    }
    out.printf("at %.1f/s:%n", at);
    out.print(SimulationReport.resultTable(results));
    out.flush();
    if (json != null) {
      Files.writeString(
          json,
          SimulationReport.json(scenario, goodput, results).encodePrettily() + "\n",
          StandardCharsets.UTF_8);
    }
    if (plot != null) {
      Plot.write(figure(scenario, names, best > 0 ? best : scenario.boundPerSecond()), plot);
    }
  }

  /** Where models move, in a scenario with memory, is compared with where they stay. */
  private static List<String> all(Scenario scenario) {
    if (scenario.devices().stream().allMatch(device -> device.memoryBytes() == Long.MAX_VALUE)) {
      return Policies.names();
    }
    List<String> names = new ArrayList<>(List.of(Policies.CONVEYOR));
    names.addAll(Policies.placedNames());
    return names;
  }

  private static Figure figure(Scenario scenario, List<String> names, double best) {
    List<Figure.Series> inTime = new ArrayList<>();
    List<Figure.Series> bad = new ArrayList<>();
    for (String name : names) {
      List<Figure.Point> rates = new ArrayList<>();
      List<Figure.Point> parts = new ArrayList<>();
      for (double load : LOADS) {
        SimulationResult result = GoodputSearch.run(scenario, Policies.find(name), load * best);
        rates.add(new Figure.Point(load, result.inTimePerSecond() / best));
        parts.add(new Figure.Point(load, 100 * result.badFraction()));
      }
      inTime.add(new Figure.Series(name, rates));
      bad.add(new Figure.Series(name, parts));
    }
    return new Figure(
        scenario.name(),
        "offered rate / best goodput (%.0f/s)".formatted(best),
        List.of(
            new Figure.Panel("answered in time / best goodput", false, inTime),
            new Figure.Panel("late or refused (%)", false, bad)));
  }

  private CommandLine console() {
    return Objects.requireNonNull(spec, "set by the parser").commandLine();
  }
}
