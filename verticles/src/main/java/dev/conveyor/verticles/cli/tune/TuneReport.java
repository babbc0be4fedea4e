package dev.conveyor.verticles.cli.tune;

import dev.conveyor.models.tune.LoadShape;
import dev.conveyor.models.tune.Measurement;
import dev.conveyor.models.tune.Objective;
import dev.conveyor.models.tune.ParetoFront;
import dev.conveyor.models.tune.Setting;
import dev.conveyor.models.tune.TuneResult;
import dev.conveyor.verticles.bench.report.Figure;
import dev.conveyor.verticles.bench.report.TextTable;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What a search found, for people and programs. Immutable.
 *
 * @param model its name
 */
public record TuneReport(String model, LoadShape load, Objective objective, TuneResult result) {

  /** Returns the Pareto front, what was tried beside it, and the verdict. */
  public String text() {
    List<Measurement> front = ParetoFront.of(result.measured());
    TextTable table = new TextTable(2, "", "setting", "inf/s", "p99 ms", "errors", "of defaults");
    front.forEach(run -> table.add(row("front", run)));
    for (Measurement run : result.measured()) {
      if (!front.contains(run)) {
        table.add(row(run.failure().isEmpty() ? "" : "failed", run));
      }
    }
    return String.format(
            Locale.ROOT,
            "%s, %s, p99 within %.1f ms: %d runs of %d settings%n",
            model,
            load.text(),
            objective.p99Ns() / 1e6,
            result.runs(),
            result.settings())
        + table.format()
        + verdict()
        + System.lineSeparator();
  }

  /** Returns in one sentence what is best. */
  public String verdict() {
    Measurement best = result.best();
    Measurement before = result.baseline();
    if (result.improves(objective)) {
      return String.format(
          Locale.ROOT,
          "best: %s: %.1f inf/s, p99 %.2f ms; as configured: %.1f inf/s, p99 %.2f ms",
          best.setting().text(),
          best.perSecond(),
          best.p99Ns() / 1e6,
          before.perSecond(),
          before.p99Ns() / 1e6);
    }
    if (!objective.holds(best) && result.heldBefore()) {
      return String.format(
          Locale.ROOT,
          "undecided: %s kept the p99 within the objective while searching, but not in its last run"
              + " (p99 %.2f ms)%s; a longer --duration tells more",
          best.setting().text(),
          best.p99Ns() / 1e6,
          objective.holds(before) ? "; the settings as they are keep it" : "");
    }
    return objective.holds(before)
        ? "the settings as they are are the best: nothing tried is more than 2 % better"
        : "no setting that was tried keeps the p99 within the objective";
  }

  /** Returns everything as JSON; latencies in milliseconds. */
  public JsonObject json() {
    JsonArray runs = new JsonArray();
    List<Measurement> front = ParetoFront.of(result.measured());
    for (Measurement run : result.measured()) {
      runs.add(json(run).put("pareto", front.contains(run)));
    }
    return new JsonObject()
        .put("model", model)
        .put("load", load.text())
        .put("objective_p99_ms", objective.p99Ns() / 1e6)
        .put("settings", result.settings())
        .put("runs", result.runs())
        .put("improves", result.improves(objective))
        .put("verdict", verdict())
        .put("best", json(result.best()))
        .put("baseline", json(result.baseline()))
        .put("measured", runs);
  }

  /** Returns throughput over latency, the Pareto front as a line. */
  public Figure figure() {
    List<Measurement> sound = new ArrayList<>(result.measured());
    sound.removeIf(run -> !run.isSound());
    return new Figure(
        model + ", " + load.text(),
        "p99 latency (ms)",
        List.of(
            new Figure.Panel(
                "throughput (inferences/s)",
                false,
                List.of(
                    new Figure.Series("Pareto front", points(ParetoFront.of(sound))),
                    new Figure.Series("tried", points(sound), false),
                    new Figure.Series("as configured", points(List.of(result.baseline())))))));
  }

  private static List<Figure.Point> points(List<Measurement> runs) {
    return runs.stream().map(r -> new Figure.Point(r.p99Ns() / 1e6, r.perSecond())).toList();
  }

  private List<String> row(String mark, Measurement run) {
    double part = run.perSecond() / result.baseline().perSecond();
    return List.of(
        mark,
        run.setting().text() + (run.setting().equals(result.baseline().setting()) ? " *" : ""),
        String.format(Locale.ROOT, "%.1f", run.perSecond()),
        String.format(Locale.ROOT, "%.2f", run.p99Ns() / 1e6),
        Long.toString(run.errors()),
        Double.isFinite(part) ? String.format(Locale.ROOT, "%.2f", part) : "-");
  }

  private static JsonObject json(Measurement run) {
    Setting setting = run.setting();
    return new JsonObject()
        .put("instances", setting.instances())
        .put("threads", setting.threads())
        .put("idle_threads", setting.idleThreads())
        .put("max_batch_size", setting.maxBatchSize())
        .put("max_queue_delay_microseconds", setting.maxQueueDelayMicros())
        .put("version", setting.version())
        .put("provider", setting.provider())
        .put("inferences_per_second", run.perSecond())
        .put("undisturbed_inferences_per_second", run.undisturbedPerSecond())
        .put("p99_ms", run.p99Ns() / 1e6)
        .put("errors", run.errors())
        .put("seconds", run.length().toMillis() / 1e3)
        .put("failure", run.failure());
  }
}
