package dev.conveyor.verticles.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.List;
import org.junit.jupiter.api.Test;

final class StatisticsJsonTest {

  @Test
  void shouldWriteTritonsFields() {
    RecordingModelStats stats = new RecordingModelStats(() -> 42);
    stats.onSuccess(2, 0, 10, 100);
    stats.onBatch(1, 2, 1, 20, 3);
    stats.onFailure(ModelStats.Reason.OTHER, 7);

    JsonObject expected =
        new JsonObject(
            """
            {"model_stats": [{
              "name": "m", "version": "3", "last_inference": 42,
              "inference_count": 2, "execution_count": 1,
              "inference_stats": {
                "success": {"count": 1, "ns": 100}, "fail": {"count": 1, "ns": 7},
                "queue": {"count": 1, "ns": 10}, "compute_input": {"count": 1, "ns": 1},
                "compute_infer": {"count": 1, "ns": 20}, "compute_output": {"count": 1, "ns": 3},
                "cache_hit": {"count": 0, "ns": 0}, "cache_miss": {"count": 0, "ns": 0}},
              "batch_stats": [{"batch_size": 2, "compute_input": {"count": 1, "ns": 1},
                "compute_infer": {"count": 1, "ns": 20}, "compute_output": {"count": 1, "ns": 3}}]
            }]}
            """);
    JsonObject written = StatisticsJson.of(List.of(Samples.model("m", "3", stats)));
    assertThat(new JsonObject(written.encode())).isEqualTo(expected);
  }

  @Test
  void shouldWriteAnEmptyListWhenThereAreNoModels() {
    assertThat(StatisticsJson.of(List.of()))
        .isEqualTo(new JsonObject().put("model_stats", new JsonArray()));
  }
}
