package dev.conveyor.scheduler.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.config.ConfigException;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.simulation.Scenario.Arrivals.Trace;
import dev.conveyor.scheduler.simulation.policy.Policies;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class TraceReaderTest {

  private static final String SCENARIO =
      """
      {"name": "n", "duration_seconds": 10, "devices": [{"name": "d"}],
       "models": [{"name": "m", "count": 2, "max_batch_size": 8,
         "latency_objective_microseconds": 100000,
         "profile": {"alpha_microseconds": 10, "beta_microseconds": 100}}],
       "arrivals": {"process": "trace", "file": "t.csv"}}
      """;

  @TempDir Path work;

  @Test
  void shouldReadRequestsFromBesideTheScenario() throws IOException {
    Scenario scenario = scenario("# when, who\n0.5,m-1\n\n1.5, m-0\n1.5,m-1\n");

    Trace trace = (Trace) scenario.arrivals();
    assertThat(trace.requests())
        .containsExactly(
            new Trace.Arrival(5e8, 1), new Trace.Arrival(1.5e9, 0), new Trace.Arrival(1.5e9, 1));
    assertThat(trace.lengthNs()).as("with the mean gap after the last").isEqualTo(2.25e9);
  }

  @Test
  void shouldRefuseToChangeThePopularityOfWhatATraceNames() throws IOException {
    Files.writeString(work.resolve("t.csv"), "0,m-0\n1,m-1\n");
    Path file =
        Files.writeString(
            work.resolve("s.json"),
            SCENARIO.replace(
                "\"arrivals\"",
                "\"popularity_changes\": [{\"at_seconds\": 1, \"rotate_places\": 1}],"
                    + " \"arrivals\""));

    assertThatThrownBy(() -> ScenarioReader.read(file))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("popularity_changes: expected none beside a trace");
  }

  @Test
  void shouldReplayTimesAndModelsAtTheRateOfTheRun() throws IOException {
    Scenario scenario = scenario("0,m-0\n1,m-1\n3,m-1\n");
    ArrivalTimes times = ArrivalTimes.of(scenario.arrivals(), 2, 1);
    List<Double> seconds = new ArrayList<>();
    List<Integer> models = new ArrayList<>();
    for (int i = 0; i < 7; i++) {
      seconds.add(times.nextNs() / 1e9);
      models.add(times.model());
    }

    assertThat(models).containsExactly(0, 1, 1, 0, 1, 1, 0);
    // 3 requests in 4.5 s, at 2 a second in 1.5.
    double[] expected = {0, 1 / 3.0, 1, 1.5, 1.5 + 1 / 3.0, 2.5, 3};
    for (int i = 0; i < expected.length; i++) {
      assertThat(seconds.get(i)).isCloseTo(expected[i], within(1e-6));
    }
  }

  @Test
  void shouldSendTheModelsOfTheTraceThroughTheSimulator() throws IOException {
    Scenario scenario = scenario("0,m-0\n1,m-1\n2,m-1\n3,m-1\n");
    int[] arrived = new int[2];
    SimulationObserver observer =
        new SimulationObserver() {
          @Override
          public void arrived(int model, InferenceRequest request, long nowNs) {
            arrived[model]++;
          }
        };

    SimulationResult unused =
        new Simulator(scenario, 40, Policies.find(Policies.CONVEYOR).apply(scenario), observer)
            .run();

    assertThat(arrived).containsExactly(100, 300);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      textBlock =
          """
          0,m-0,1; seconds,model
          x,m-0; a number
          0,m-2; a model of the scenario
          -1,m-0; at least 0.0
          NaN,m-0; at least 0.0
          """)
  void shouldRefuseALineAndSayWhere(String line, String expected) {
    assertThatThrownBy(() -> scenario("# first\n" + line + "\n"))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("t.csv")
        .hasMessageContaining("2")
        .hasMessageContaining(expected);
  }

  @Test
  void shouldRefuseTimesThatGoBackAndTracesWithoutTime() {
    assertThatThrownBy(() -> scenario("2,m-0\n1,m-0\n")).hasMessageContaining("at least 2.0");
    assertThatThrownBy(() -> scenario("0,m-0\n0,m-1\n")).hasMessageContaining("two requests");
    assertThatThrownBy(() -> scenario("5,m-0\n")).hasMessageContaining("two requests");
  }

  @Test
  void shouldSayWhichTraceIsNotThere() throws IOException {
    Files.writeString(work.resolve("s.json"), SCENARIO);

    assertThatThrownBy(() -> ScenarioReader.read(work.resolve("s.json")))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("t.csv");
  }

  private Scenario scenario(String trace) throws IOException {
    Files.writeString(work.resolve("t.csv"), trace);
    Files.writeString(work.resolve("s.json"), SCENARIO);
    return ScenarioReader.read(work.resolve("s.json"));
  }
}
