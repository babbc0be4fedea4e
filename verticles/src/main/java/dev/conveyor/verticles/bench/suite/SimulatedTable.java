package dev.conveyor.verticles.bench.suite;

import dev.conveyor.scheduler.simulation.GoodputSearch;
import dev.conveyor.scheduler.simulation.Scenario;
import dev.conveyor.scheduler.simulation.ScenarioReader;
import dev.conveyor.scheduler.simulation.policy.Policies;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What every policy sustains in the scenarios of {@code conf/simulations}, each simulated once.
 *
 * <p>Not thread-safe: owned by the rows that read it.
 */
final class SimulatedTable {

  private static final Path DIRECTORY =
      Path.of(System.getProperty("conveyor.home", "."), "conf", "simulations");

  private final Map<String, Line> lines = new HashMap<>();

  /**
   * One scenario.
   *
   * @param goodput requests per second by policy
   * @param best the highest of them
   * @param overloaded in time per second at twice the best goodput, of the production core
   */
  record Line(Map<String, Double> goodput, double best, double overloaded) {

    double conveyor() {
      return goodput.getOrDefault(Policies.CONVEYOR, 0.0);
    }

    /** Returns the name of a policy with the best goodput. */
    String bestName() {
      return goodput.entrySet().stream()
          .max(Map.Entry.comparingByValue())
          .map(Map.Entry::getKey)
          .orElse("");
    }
  }

  static Scenario scenario(String name) {
    Path file = DIRECTORY.resolve(name + ".json");
    if (!Files.isReadable(file)) {
      throw new CannotMeasureException(file + " is not there");
    }
    return ScenarioReader.read(file);
  }

  Line line(String name) {
    Line line = lines.get(name);
    if (line == null) {
      line = simulate(scenario(name));
      lines.put(name, line);
    }
    return line;
  }

  private static Line simulate(Scenario scenario) {
    Map<String, Double> goodput = new LinkedHashMap<>();
    double best = 0;
    for (String policy : Policies.names()) {
      double found = GoodputSearch.find(scenario, Policies.find(policy));
      goodput.put(policy, found);
      best = Math.max(best, found);
    }
    double overloaded =
        GoodputSearch.run(scenario, Policies.find(Policies.CONVEYOR), 2 * best).inTimePerSecond();
    return new Line(goodput, best, overloaded);
  }
}
