package dev.conveyor.verticles.metrics;

import dev.conveyor.scheduler.rollout.RolloutGuard;
import dev.conveyor.scheduler.rollout.RolloutState;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** The metric families of versions that are tried on live requests. Stateless. */
final class RolloutFamilies {

  private RolloutFamilies() {}

  /** Writes nothing where nothing is tried. */
  static void write(Map<String, RolloutGuard> rollouts, PrometheusText out) {
    if (rollouts.isEmpty()) {
      return;
    }
    Map<String, RolloutState> states = new LinkedHashMap<>();
    rollouts.forEach(
        (model, guard) ->
            states.put(
                PrometheusText.labels(
                    "model", model, "version", Long.toString(guard.rollout().candidate())),
                guard.state()));
    out.counter(
        "conveyor_rollout_requests_total",
        "Requests without a version, by whether the candidate answered, got a copy, or should have"
            + " got one that was dropped");
    states.forEach(
        (labels, state) -> {
          kind(out, labels, "stable", state.stableRequests());
          kind(out, labels, "canary", state.canaryRequests());
          kind(out, labels, "shadow", state.shadows());
          kind(out, labels, "shadow_dropped", state.shadowsDropped());
        });
    gauge(
        out,
        states,
        "conveyor_rollout_active",
        "1 while the candidate gets requests, 0 once it is rolled back",
        state -> state.active() ? 1 : 0);
    gauge(
        out,
        states,
        "conveyor_rollout_agreement",
        "Part of the compared answers within the tolerance",
        RolloutState::agreement);
    gauge(
        out,
        states,
        "conveyor_rollout_error_rate",
        "Part of the candidate's last outcomes that are failures",
        state -> state.tried().errorRate());
  }

  private static void kind(PrometheusText out, String labels, String kind, long count) {
    out.sample(PrometheusText.join(labels, PrometheusText.labels("kind", kind)), count);
  }

  private static void gauge(
      PrometheusText out,
      Map<String, RolloutState> states,
      String name,
      String help,
      ToDoubleFunction<RolloutState> value) {
    out.gauge(name, help);
    states.forEach((labels, state) -> out.sample(labels, value.applyAsDouble(state)));
  }
}
