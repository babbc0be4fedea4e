package dev.conveyor.scheduler.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.simulation.policy.Policies;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class SimulatorTest {

  private static final String FAULTS =
      """
      , "faults": [
        {"kind": "lost", "device": 0, "at_seconds": 0.2, "for_seconds": 0.2},
        {"kind": "slow_down", "device": 1, "at_seconds": 0.3, "for_seconds": 0.3, "factor": 3},
        {"kind": "stall", "device": 1, "at_seconds": 0.7, "for_seconds": 0.1}]
      """;

  static List<String> policies() {
    return Policies.names();
  }

  static Scenario scenario(String more) {
    return ScenarioReader.read(
        "test",
        """
        {"name": "test", "seed": 7, "duration_seconds": 1,
         "devices": [{"name": "gpu", "count": 2, "slots": 2}],
         "models": [{"name": "m", "count": 3, "zipf": 1, "max_batch_size": 16,
           "latency_objective_microseconds": 15000,
           "profile": {"alpha_microseconds": 100, "beta_microseconds": 2000, "noise": 0.1}}]
        """
            + more
            + "}");
  }

  /** Checks that what is answered has arrived and is answered once. */
  private static final class Audit implements SimulationObserver {
    private final Set<InferenceRequest> waiting =
        Collections.newSetFromMap(new IdentityHashMap<>());
    private final List<Long> trace = new ArrayList<>();

    @Override
    public void arrived(int model, InferenceRequest request, long nowNs) {
      assertThat(waiting.add(request)).isTrue();
    }

    @Override
    public void answered(int model, InferenceRequest request, Answer answer, long nowNs) {
      assertThat(waiting.remove(request)).isTrue();
      trace.add(answer == Answer.REFUSED ? -nowNs : nowNs);
    }
  }

  private static Audit run(String policy, Scenario scenario, double rate) {
    Audit audit = new Audit();
    new Simulator(scenario, rate, Policies.find(policy).apply(scenario), audit).run();
    return audit;
  }

  @ParameterizedTest
  @MethodSource("policies")
  void shouldAnswerEveryRequestOnceWhenOverloadedAndDevicesFail(String policy) {
    Audit audit = run(policy, scenario(FAULTS), 20_000);

    assertThat(audit.waiting).isEmpty();
    assertThat(audit.trace).hasSizeGreaterThan(15_000);
  }

  @ParameterizedTest
  @MethodSource("policies")
  void shouldRepeatItselfWhenTheSeedIsTheSame(String policy) {
    List<Long> first = run(policy, scenario(FAULTS), 3_000).trace;

    assertThat(run(policy, scenario(FAULTS), 3_000).trace).isEqualTo(first);
  }

  @Test
  void shouldCountEveryRequestOfTheWindowAsOneOfFour() {
    Scenario scenario = scenario(FAULTS);

    SimulationResult result = GoodputSearch.run(scenario, Policies.find("shrink-or-drop"), 20_000);

    assertThat(result.inTime()).isPositive();
    assertThat(result.refused()).isPositive();
    assertThat(result.late()).isPositive();
    assertThat(result.lost()).isPositive();
    assertThat(result.inTime() + result.late() + result.refused() + result.lost())
        .isEqualTo(result.arrived());
  }

  @Test
  void shouldComplainWhenAPolicyForgetsRequests() {
    Function<Scenario, Policy> forgetful =
        s ->
            new ForwardingPolicy(Policies.find("fifo").apply(s)) {
              @Override
              public void arrive(
                  int model, InferenceRequest request, long nowNs, Machine machine) {}
            };

    assertThatThrownBy(() -> GoodputSearch.run(scenario(""), forgetful, 100))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("never answered");
  }

  @Test
  void shouldRefuseToStartMoreThanADeviceHasSlots() {
    Function<Scenario, Policy> greedy =
        s ->
            new ForwardingPolicy(Policies.find("fifo").apply(s)) {
              @Override
              public void arrive(int model, InferenceRequest request, long nowNs, Machine machine) {
                machine.start(0, model, List.of(request), "");
              }
            };

    assertThatThrownBy(() -> GoodputSearch.run(scenario(""), greedy, 20_000))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("gpu-0 is full");
  }

  @Test
  void shouldKeepTheMeanRateWhateverTheProcess() {
    for (String arrivals :
        List.of(
            "{\"process\": \"poisson\"}",
            "{\"process\": \"hyperexponential\", \"cv\": 2}",
            "{\"process\": \"on_off\", \"on_seconds\": 0.004, \"off_seconds\": 0.002}",
            "{\"process\": \"curve\", \"points\": [[0, 1], [0.01, 3], [0.05, 0]]}")) {
      Scenario scenario = scenario(", \"arrivals\": " + arrivals);
      SimulationResult result = GoodputSearch.run(scenario, Policies.find("fifo"), 40_000);
      assertThat(result.arrived()).as(arrivals).isBetween(36_000L, 44_000L);
    }
  }
}
