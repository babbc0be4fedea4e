package dev.conveyor.scheduler.simulation.policy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.placement.FleetDevice;
import dev.conveyor.scheduler.placement.PlacementPlanner;
import dev.conveyor.scheduler.placement.PlacementPlanner.Plan;
import dev.conveyor.scheduler.placement.PlacementPlanner.Settings;
import dev.conveyor.scheduler.placement.PlacementStep;
import dev.conveyor.scheduler.simulation.GoodputSearch;
import dev.conveyor.scheduler.simulation.Policy;
import dev.conveyor.scheduler.simulation.Run;
import dev.conveyor.scheduler.simulation.Scenario;
import dev.conveyor.scheduler.simulation.ScenarioReader;
import dev.conveyor.scheduler.simulation.SimulationObserver;
import dev.conveyor.scheduler.simulation.SimulationResult;
import dev.conveyor.scheduler.simulation.Simulator;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** Models that move between devices under a load that moves, in the simulator. */
final class PlacedPolicyTest {

  private static final Path SCENARIOS = Path.of("../conf/simulations");
  private static final Path TRACE = Path.of("src/test/resources/traces/placement.txt");

  private final List<String> decided = new ArrayList<>();

  private PlacementRule recorded(List<FleetDevice> devices) {
    PlacementPlanner planner = new PlacementPlanner(Settings.DEFAULT);
    return (models, layout, nowNs) -> {
      Plan plan = planner.plan(devices, models, layout, nowNs);
      if (plan.step().isPresent() || !plan.reason().startsWith("stays: ")) {
        decided.add("%d s: %s".formatted(nowNs / 1_000_000_000, plan.reason()));
      }
      return plan.step().map(List::<PlacementStep>of).orElse(List.of());
    };
  }

  /**
   * The text changes only if decisions do. After a change that is meant to do so, write it anew
   * with {@code -Dconveyor.traces.write=true}.
   */
  @Test
  void shouldMoveModelsAsRecorded() throws IOException {
    Scenario scenario = ScenarioReader.read(SCENARIOS.resolve("placement-burst.json"));

    new Simulator(
            scenario,
            scenario.ratePerSecond(),
            new PlacedPolicy(scenario, this::recorded),
            SimulationObserver.NONE)
        .run();

    String actual = String.join("\n", decided) + "\n";
    if (Boolean.getBoolean("conveyor.traces.write")) {
      Files.writeString(TRACE, actual);
    }
    assertThat(actual).isEqualTo(Files.readString(TRACE));
  }

  private static SimulationResult run(
      Scenario scenario, Function<Scenario, ? extends Policy> policy) {
    return GoodputSearch.run(scenario, policy::apply, scenario.ratePerSecond());
  }

  @Test
  void shouldServeMoreInTimeThanModelsThatStayAndThanTheGreedy() {
    Scenario scenario = ScenarioReader.read(SCENARIOS.resolve("placement-burst.json"));

    double planned = run(scenario, Policies.find("planned")).badFraction();

    assertThat(planned).isLessThan(run(scenario, Policies.find("conveyor")).badFraction() / 5);
    assertThat(planned).isLessThan(run(scenario, Policies.find("greedy")).badFraction() / 2);
  }

  @Test
  void shouldNotRunAModelOnADeviceBeforeItIsLoaded() {
    // Looks every 5 s: at 10 s the work of 3.6 device seconds is lost, at 15 s of 7.1, and the load
    // takes 3 s at 1.6 devices.
    assertThat(firstStartOnSecondNs("")).isBetween(18_000_000_000L, 18_100_000_000L);
  }

  @Test
  void shouldLoadOntoADeviceThatIsDownAndRunThereWhenItIsUp() {
    String fault =
        """
        , "faults": [{"kind": "lost", "device": 1, "at_seconds": 16, "for_seconds": 3}]""";

    assertThat(firstStartOnSecondNs(fault)).isBetween(19_000_000_000L, 19_100_000_000L);
  }

  private static long firstStartOnSecondNs(String more) {
    Scenario scenario =
        ScenarioReader.read(
            "f",
            """
            {"name": "n", "duration_seconds": 20, "rate_per_second": 400,
             "devices": [{"name": "d", "count": 2, "memory_megabytes": 10}],
             "models": [
               {"name": "m", "max_batch_size": 1, "latency_objective_microseconds": 20000,
                "devices_per_model": 1, "weights_megabytes": 10, "load_milliseconds": 3000,
                "profile": {"alpha_microseconds": 4000, "beta_microseconds": 0}}]%s}
            """
                .formatted(more));
    List<Long> startsOnSecondNs = new ArrayList<>();
    SimulationObserver observer =
        new SimulationObserver() {
          @Override
          public void started(Run run) {
            if (run.device() == 1) {
              startsOnSecondNs.add(run.startNs());
            }
          }
        };

    new Simulator(scenario, 400, Policies.find("planned").apply(scenario), observer).run();

    return startsOnSecondNs.get(0);
  }

  /** Late binding: a free device takes the next batch, and nobody waits in the wrong queue. */
  @Test
  void shouldServeMoreFromOneQueueThanWithRequestsDealtOutInProportion() {
    double one =
        GoodputSearch.find(
            ScenarioReader.read(SCENARIOS.resolve("dispatch-one-queue.json")),
            Policies.find(Policies.CONVEYOR));
    double dealt =
        GoodputSearch.find(
            ScenarioReader.read(SCENARIOS.resolve("dispatch-proportional.json")),
            Policies.find(Policies.CONVEYOR));

    assertThat(one).isGreaterThan(1.2 * dealt);
  }
}
