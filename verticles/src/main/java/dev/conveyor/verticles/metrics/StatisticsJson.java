package dev.conveyor.verticles.metrics;

import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.ModelStats.Duration;
import dev.conveyor.verticles.metrics.ModelStats.Snapshot;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.Collection;

/** Writes statistics as Triton's statistics extension does. Thread-safe. */
public final class StatisticsJson {

  private StatisticsJson() {}

  /** Returns the body of {@code GET /v2/models[/m[/versions/v]]/stats} for these models. */
  public static JsonObject of(Collection<ServedModel> models) {
    JsonArray stats = new JsonArray();
    for (ServedModel model : models) {
      stats.add(of(model.name(), model.version(), model.stats().snapshot()));
    }
    return new JsonObject().put("model_stats", stats);
  }

  static JsonObject of(String name, String version, Snapshot s) {
    JsonArray batches = new JsonArray();
    s.batches()
        .forEach(
            (size, batch) ->
                batches.add(
                    new JsonObject()
                        .put("batch_size", size)
                        .put("compute_input", of(batch.computeInput()))
                        .put("compute_infer", of(batch.computeInfer()))
                        .put("compute_output", of(batch.computeOutput()))));
    return new JsonObject()
        .put("name", name)
        .put("version", version)
        .put("last_inference", s.lastInferenceMs())
        .put("inference_count", s.inferenceCount())
        .put("execution_count", s.executionCount())
        .put(
            "inference_stats",
            new JsonObject()
                .put("success", of(s.success()))
                .put("fail", of(s.fail()))
                .put("queue", of(s.queue()))
                .put("compute_input", of(s.computeInput()))
                .put("compute_infer", of(s.computeInfer()))
                .put("compute_output", of(s.computeOutput()))
                .put("cache_hit", of(Duration.NONE))
                .put("cache_miss", of(Duration.NONE)))
        .put("batch_stats", batches);
  }

  private static JsonObject of(Duration duration) {
    return new JsonObject().put("count", duration.count()).put("ns", duration.ns());
  }
}
