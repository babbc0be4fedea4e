package dev.conveyor.scheduler.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.simulation.policy.Policies;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What the production core makes of the beginning of every scenario of {@code conf/simulations}
 * below and beyond its capacity: to make it faster must not change what it decides.
 */
final class ScenarioTraceTest {

  private static final Path SCENARIOS = Path.of("../conf/simulations");
  private static final Path TRACE = Path.of("src/test/resources/traces/scenarios.txt");
  private static final double[] LOADS = {0.5, 0.9, 1.6};
  private static final double REQUESTS = 6000;

  /**
   * The text changes only if decisions do. After a change that is meant to do so, write it anew
   * with {@code mvn -pl scheduler -am test -Dtest=ScenarioTraceTest -Dconveyor.traces.write=true
   * -Dsurefire.failIfNoSpecifiedTests=false}.
   */
  @Test
  void shouldDecideAsRecorded() throws IOException {
    StringBuilder text = new StringBuilder();
    for (Path file : scenarios()) {
      Scenario whole = ScenarioReader.read(file);
      for (double load : LOADS) {
        text.append(line(whole, load)).append('\n');
      }
    }
    String actual = text.toString();
    if (Boolean.getBoolean("conveyor.traces.write")) {
      Files.writeString(TRACE, actual);
    }
    assertThat(actual).isEqualTo(Files.readString(TRACE, StandardCharsets.UTF_8));
  }

  private static List<Path> scenarios() throws IOException {
    try (Stream<Path> files = Files.list(SCENARIOS)) {
      return files.filter(file -> file.toString().endsWith(".json")).sorted().toList();
    }
  }

  private static String line(Scenario whole, double load) {
    double rate = load * whole.boundPerSecond();
    Scenario start =
        new Scenario(
            whole.name(),
            "",
            whole.seed(),
            Math.min(whole.durationNs(), (long) (REQUESTS / rate * 1e9)),
            0,
            rate,
            whole.devices(),
            whole.models(),
            whole.arrivals(),
            whole.faults(),
            List.of(),
            whole.stretches());
    long[] hash = new long[1];
    SimulationObserver batches =
        new SimulationObserver() {
          @Override
          public void started(Run run) {
            hash[0] = 31 * hash[0] + run.startNs() + 7L * run.requests().size() + run.device();
            hash[0] = 31 * hash[0] + run.model();
          }
        };
    SimulationResult result =
        new Simulator(start, rate, Policies.find(Policies.CONVEYOR).apply(start), batches).run();
    return String.format(
        Locale.ROOT,
        "%s at %.1f of the bound: %d in time, %d late, %d refused, mean batch %.4f, batches %016x",
        whole.name(),
        load,
        result.inTime(),
        result.late(),
        result.refused(),
        result.meanBatch(),
        hash[0]);
  }
}
