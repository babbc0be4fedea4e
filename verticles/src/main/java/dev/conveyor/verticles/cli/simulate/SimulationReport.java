package dev.conveyor.verticles.cli.simulate;

import dev.conveyor.scheduler.simulation.Scenario;
import dev.conveyor.scheduler.simulation.SimulationResult;
import dev.conveyor.verticles.bench.report.TextTable;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What came of the policies, as text and as JSON. Stateless. */
final class SimulationReport {

  private SimulationReport() {}

  static String goodputTable(Map<String, Double> goodput, double bound) {
    double best = goodput.values().stream().mapToDouble(Double::doubleValue).max().orElse(0);
    TextTable table = new TextTable(1, "policy", "goodput/s", "of bound", "of best");
    goodput.forEach(
        (name, rate) ->
            table.add(
                List.of(name, text("%.1f", rate), text("%.3f", rate / bound), ratio(rate, best))));
    return table.format();
  }

  static String resultTable(Map<String, SimulationResult> results) {
    TextTable table =
        new TextTable(
            1,
            "policy",
            "in time/s",
            "bad %",
            "late",
            "refused",
            "lost",
            "p50 ms",
            "p99 ms",
            "batch",
            "busy %",
            "loads");
    results.forEach(
        (name, r) ->
            table.add(
                List.of(
                    name,
                    text("%.1f", r.inTimePerSecond()),
                    text("%.2f", 100 * r.badFraction()),
                    text("%d", r.late()),
                    text("%d", r.refused()),
                    text("%d", r.lost()),
                    text("%.2f", r.latency().percentileNs(50) / 1e6),
                    text("%.2f", r.latency().percentileNs(99) / 1e6),
                    text("%.1f", r.meanBatch()),
                    text("%.1f", 100 * r.utilisation()),
                    text("%d", r.loads()))));
    return table.format();
  }

  static JsonObject json(
      Scenario scenario, Map<String, Double> goodput, Map<String, SimulationResult> results) {
    JsonArray policies = new JsonArray();
    results.forEach(
        (name, result) -> {
          JsonObject policy = json(result).put("policy", name);
          Double found = goodput.get(name);
          policies.add(found == null ? policy : policy.put("goodput_per_second", found));
        });
    return new JsonObject()
        .put("scenario", scenario.name())
        .put("seed", scenario.seed())
        .put("bound_per_second", scenario.boundPerSecond())
        .put("policies", policies);
  }

  private static JsonObject json(SimulationResult result) {
    JsonArray models = new JsonArray();
    for (SimulationResult.Model model : result.models()) {
      models.add(
          new JsonObject()
              .put("name", model.name())
              .put("arrived", model.arrived())
              .put("in_time", model.inTime())
              .put("late", model.late())
              .put("refused", model.refused())
              .put("lost", model.lost())
              .put("busy_seconds", model.busyNs() / 1e9));
    }
    return new JsonObject()
        .put("rate_per_second", result.ratePerSecond())
        .put("in_time_per_second", result.inTimePerSecond())
        .put("bad_fraction", result.badFraction())
        .put("p50_ms", result.latency().percentileNs(50) / 1e6)
        .put("p99_ms", result.latency().percentileNs(99) / 1e6)
        .put("mean_batch", result.meanBatch())
        .put("utilisation", result.utilisation())
        .put("loads", result.loads())
        .put("models", models);
  }

  private static String ratio(double rate, double best) {
    return best == 0 ? "-" : text("%.3f", rate / best);
  }

  private static String text(String format, Object value) {
    return String.format(Locale.ROOT, format, value);
  }
}
