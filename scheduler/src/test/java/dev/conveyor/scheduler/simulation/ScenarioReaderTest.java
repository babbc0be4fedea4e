package dev.conveyor.scheduler.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.config.ConfigException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ScenarioReaderTest {

  private static final String WHOLE =
      """
      {"name": "n", "description": "d", "seed": 3, "duration_seconds": 2, "warmup_seconds": 0.5,
       "rate_per_second": 100,
       "devices": [{"name": "a", "slots": 2, "speed": 0.5, "memory_megabytes": 3},
                   {"name": "b", "count": 2}],
       "models": [
         {"name": "m", "count": 2, "zipf": 1, "popularity": 4, "weight": 2, "max_batch_size": 8,
          "latency_objective_microseconds": 1000, "devices_per_model": 2,
          "weights_megabytes": 1.5, "load_milliseconds": 2,
          "profile": {"alpha_microseconds": 10, "beta_microseconds": 100, "noise": 0.5}},
         {"name": "t", "max_batch_size": 8, "latency_objective_microseconds": 1000,
          "profile": {"points": [[1, 100], [4, 250]]}}],
       "arrivals": {"process": "hyperexponential", "cv": 2},
       "faults": [
         {"kind": "slow_down", "device": 2, "at_seconds": 1, "for_seconds": 0.5, "factor": 3}],
       "popularity_changes": [
         {"at_seconds": 1, "rotate_places": 2}, {"at_seconds": 1, "model": "t", "factor": 9}],
       "interference": [{"model": "t", "beside": "m-1", "stretch": 2.5}]}
      """;

  @Test
  void shouldReadEveryKey() {
    Scenario scenario = ScenarioReader.read("f", WHOLE);

    assertThat(scenario.name()).isEqualTo("n");
    assertThat(scenario.seed()).isEqualTo(3);
    assertThat(scenario.durationNs()).isEqualTo(2_000_000_000L);
    assertThat(scenario.warmupNs()).isEqualTo(500_000_000L);
    assertThat(scenario.ratePerSecond()).isEqualTo(100);
    assertThat(scenario.devices())
        .containsExactly(
            new Scenario.Device("a", 2, 0.5, 3 << 20),
            new Scenario.Device("b-0", 1, 1),
            new Scenario.Device("b-1", 1, 1));
    Scenario.Model second = scenario.models().get(1);
    assertThat(second.name()).isEqualTo("m-1");
    assertThat(second.objectiveNs()).isEqualTo(1_000_000);
    assertThat(second.weight()).isEqualTo(2);
    assertThat(second.popularity()).isEqualTo(2);
    assertThat(second.cost().ns(3)).isEqualTo(130_000);
    assertThat(second.noise()).isEqualTo(0.5);
    assertThat(second.devices()).containsExactly(0, 2);
    assertThat(second.bytes()).isEqualTo(3 << 19);
    assertThat(second.loadNs()).isEqualTo(2_000_000);
    assertThat(scenario.changes())
        .containsExactly(
            new Scenario.Change.Rotation(1_000_000_000L, 2),
            new Scenario.Change.Factor(1_000_000_000L, 2, 9));
    assertThat(scenario.stretches()).containsExactly(new Scenario.Stretch(2, 1, 2.5));
    assertThat(scenario.arrivals()).isEqualTo(new Scenario.Arrivals.HyperExponential(2));
    assertThat(scenario.faults())
        .containsExactly(
            new Scenario.Fault(Scenario.Fault.Kind.SLOW_DOWN, 1_000_000_000L, 500_000_000L, 2, 3));
  }

  @Test
  void shouldInterpolateBetweenPointsAndScaleBeyond() {
    CostCurve cost = ScenarioReader.read("f", WHOLE).models().get(2).cost();

    assertThat(cost.ns(1)).isEqualTo(100_000);
    assertThat(cost.ns(2)).isEqualTo(150_000);
    assertThat(cost.ns(4)).isEqualTo(250_000);
    assertThat(cost.ns(8)).isEqualTo(500_000);
    assertThat(cost.largestWithin(249_999)).isEqualTo(3);
    assertThat(cost.largestWithin(250_000)).isEqualTo(4);
    assertThat(cost.largestWithin(99_999)).isZero();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"seed\": 3 | \"sed\": 3 | sed: unknown key, did you mean \"seed\"?",
        "\"seed\": 3 | \"seed\": -1 | seed: expected an integer from 0 to 2147483647, found -1",
        "\"seed\": 3 | \"seed\": \"x\" | seed: expected an integer from 0 to 2147483647, found \"x\"",
        "\"duration_seconds\": 2, | \"\": 2, | duration_seconds: expected a number from",
        "\"warmup_seconds\": 0.5 | \"warmup_seconds\": 2 | warmup_seconds: expected less than",
        "\"speed\": 0.5 | \"sped\": 0.5 | devices[0].sped: unknown key",
        "\"max_batch_size\": 8, | \"max_batch_size\": 0, | models[0].max_batch_size: expected an",
        "\"alpha_microseconds\": 10 | \"alpha\": 10 | models[0].profile.alpha_microseconds: expected",
        "[1, 100], [4, 250] | [4, 100], [1, 250] | models[1].profile.points[1]: expected two or more",
        "[1, 100], [4, 250] | [1, 100] | models[1].profile.points: expected two or more pairs",
        "\"device\": 2 | \"device\": 3 | faults[0].device: expected an integer from 0 to 2, found 3",
        "\"kind\": \"slow_down\" | \"kind\": \"slow\" | faults[0].kind: expected one of lost, slow_down,",
        "\"faults\": [ | \"faults\": [{\"kind\": \"slow_down\", \"device\": 2, \"at_seconds\": 0.5, \"for_seconds\": 0.6, \"factor\": 2}, | faults[1]: expected another device, kind or time than faults[0], found slow_down twice at once",
        "\"cv\": 2 | \"cv\": 1 | arrivals.cv: expected a number from 1.001 to 100, found 1",
        "\"factor\": 9 | \"factr\": 9 | popularity_changes[1].factor: expected a number from",
        "\"model\": \"t\" | \"model\": \"u\" | popularity_changes[1].model: expected one of m-0, m-1, t",
        "\"at_seconds\": 1, \"rotate | \"at_seconds\": 2, \"rotate | popularity_changes[1].at_seconds: expected not",
        "\"memory_megabytes\": 3 | \"memory_megabytes\": 2 | models: expected at most memory_megabytes=2 on a at",
        "\"name\": \"t\" | \"name\": \"m-1\" | models: expected names that differ, found m-1 twice",
        "\"name\": \"n\" | \"name\": \"n\", \"name\": \"n\" | not JSON: Duplicate field 'name'",
        "\"models\": [ | \"models\": 1, \"x\": [ | models: expected a list of objects, found 1",
      })
  void shouldSayWhatIsWrongAndWhere(String right, String wrong, String message) {
    assertThat(WHOLE).contains(right);

    assertThatThrownBy(() -> ScenarioReader.read("f.json", WHOLE.replace(right, wrong)))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith("f.json:")
        .hasMessageContaining(message);
  }

  @Test
  void shouldSayThatAFileIsMissing() {
    assertThatThrownBy(() -> ScenarioReader.read(Path.of("no-such.json")))
        .isInstanceOf(ConfigException.class)
        .hasMessage("no-such.json: no such file");
  }

  @Test
  void shouldBoundTheRateByTheLargestBatchesWithinTheObjective() {
    Scenario scenario =
        ScenarioReader.read(
            "f",
            """
            {"name": "n", "duration_seconds": 1, "devices": [{"name": "d", "count": 2}],
             "models": [
               {"name": "m", "max_batch_size": 64, "latency_objective_microseconds": 1000,
                "profile": {"alpha_microseconds": 100, "beta_microseconds": 500}}]}
            """);

    assertThat(scenario.boundPerSecond()).isCloseTo(2 * 5 / 0.001, within(1e-6));
    assertThat(scenario.models().get(0).devices()).isEqualTo(List.of(0, 1));
  }
}
