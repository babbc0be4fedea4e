package dev.conveyor.verticles.cli.optimize;

import dev.conveyor.models.optimize.Report;
import dev.conveyor.models.optimize.VariantReport;
import dev.conveyor.models.optimize.evaluate.Agreement;
import dev.conveyor.models.optimize.evaluate.Scores;
import dev.conveyor.models.optimize.evaluate.Speed;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Writes a report for programs. Stateless. */
public final class ReportJson {

  private ReportJson() {}

  /** Returns a report with all its figures. */
  public static JsonObject of(Report report) {
    JsonArray variants = new JsonArray();
    report.variants().forEach(v -> variants.add(variant(v)));
    return new JsonObject()
        .put("model", report.model())
        .put("bytes", report.bytes())
        .put("data", report.data())
        .put("threads", report.threads())
        .put("preparation", new JsonArray(report.preparation()))
        .put("original", scores(report.scores()).put("speed", speed(report.speed())))
        .put("variants", variants);
  }

  private static JsonObject variant(VariantReport variant) {
    return scores(variant.scores())
        .put("name", variant.name())
        .put("bytes", variant.model().length)
        .put("size_ratio", variant.sizeRatio())
        .put("drop_points", finite(variant.drop()))
        .put("speed", speed(variant.speed()))
        .put("passes", variant.passes())
        .put("failures", new JsonArray(variant.failures()))
        .put("notes", new JsonArray(variant.notes()));
  }

  private static JsonObject scores(Scores scores) {
    Agreement agreement = scores.agreement();
    JsonObject details = new JsonObject();
    scores.details().forEach((name, value) -> details.put(name, finite(value)));
    return new JsonObject()
        .put("metric", scores.metric())
        .put("percent", finite(scores.percent()))
        .put("labelled", scores.labelled())
        .put("details", details)
        .put(
            "agreement",
            new JsonObject()
                .put("mean_cosine", finite(agreement.meanCosine()))
                .put("min_cosine", finite(agreement.minCosine()))
                .put("same_class", finite(agreement.sameClass()))
                .put("max_error", finite(agreement.maxError()))
                .put("worst_relative_error", finite(agreement.worstRelativeError()))
                .put("sqnr_db", finite(agreement.sqnrDb())));
  }

  private static JsonArray speed(List<Speed.Point> points) {
    JsonArray array = new JsonArray();
    for (Speed.Point point : points) {
      array.add(
          new JsonObject()
              .put("batch", point.batch())
              .put("p50_ms", point.medianNs() / 1e6)
              .put("p99_ms", point.p99Ns() / 1e6)
              .put("items_per_second", point.itemsPerSecond())
              .put("speed_up", point.speedUp()));
    }
    return array;
  }

  /** JSON has no infinity. */
  private static @Nullable Double finite(double value) {
    return Double.isFinite(value) ? value : null;
  }
}
