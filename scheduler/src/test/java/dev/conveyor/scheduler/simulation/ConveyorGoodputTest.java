package dev.conveyor.scheduler.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.simulation.policy.Policies;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The production core against what others do, over a short horizon; the suite has the long one. */
final class ConveyorGoodputTest {

  private static Scenario scenario(int devices, int models, double alpha, double beta, int slo) {
    return ScenarioReader.read(
        "test",
        """
        {"name": "t", "duration_seconds": %s, "warmup_seconds": %s,
         "devices": [{"name": "d", "count": %d}],
         "models": [{"name": "m", "count": %d, "zipf": 1, "max_batch_size": 64,
           "latency_objective_microseconds": %d,
           "profile": {"alpha_microseconds": %s, "beta_microseconds": %s}}]}
        """
            .formatted(slo / 8e3, slo / 8e4, devices, models, slo, alpha, beta));
  }

  /** Two of the devices' slots, half of the time beside a batch that takes three times as long. */
  @Test
  void shouldFindOutWhatToRunSideBySide() {
    Scenario scenario = ScenarioReader.read(Path.of("../conf/simulations/meeting-hurts.json"));
    SimulationResult apart = GoodputSearch.run(scenario, Policies.find(Policies.CONVEYOR), 400);

    assertThat(apart.badFraction()).isLessThan(GoodputSearch.BAD_LIMIT);
  }

  @ParameterizedTest
  @CsvSource({
    "4, 1, 100, 2000, 15000",
    "4, 8, 1053, 5072, 25000",
    "1, 4, 20000, 2000, 200000",
  })
  void shouldSustainAndKeepWhatTheBestDo(
      int devices, int models, double alpha, double beta, int slo) {
    Scenario scenario = scenario(devices, models, alpha, beta, slo);
    double conveyor = GoodputSearch.find(scenario, Policies.find(Policies.CONVEYOR));
    double others =
        Math.max(
            GoodputSearch.find(scenario, Policies.find("shrink-or-drop")),
            GoodputSearch.find(scenario, Policies.find("sliding-window")));

    assertThat(conveyor).isGreaterThan(0.93 * others);
    assertThat(
            GoodputSearch.run(scenario, Policies.find(Policies.CONVEYOR), 2 * others)
                .inTimePerSecond())
        .isGreaterThan(0.93 * others);
    assertThat(
            GoodputSearch.run(scenario, Policies.find(Policies.FIFO), 2 * others).inTimePerSecond())
        .isLessThan(0.9 * others);
  }
}
