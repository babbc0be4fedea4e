package dev.conveyor.verticles.bench.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.verticles.bench.load.LoadPattern;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.List;
import org.junit.jupiter.api.Test;

class LoadReportTest {

  @Test
  void shouldAlignColumnsAndListErrors() {
    String table = LoadReport.table(Points.sweep(List.of("identity"), Points.closed(1, 16)));

    List<String> lines = table.lines().toList();
    assertThat(lines).hasSize(4);
    assertThat(lines.get(0)).startsWith("load  ").contains("p99.9 µs");
    int end = lines.get(0).indexOf("inf/s") + "inf/s".length();
    assertThat(lines.get(1).substring(0, end)).startsWith("c=1").endsWith("11,804");
    assertThat(lines.get(2).substring(0, end)).startsWith("c=16").endsWith("18,964");
    assertThat(lines.get(3)).isEqualTo("c=1: 3 x HTTP 429: queue full");
  }

  @Test
  void shouldAddARowForAllModelsWhenThereAreSeveral() {
    String table = LoadReport.table(Points.sweep(List.of("a", "b"), Points.closed(2)));

    assertThat(table.lines().map(line -> line.split(" +", -1)[1]).toList())
        .startsWith("model", "a", "b", "(all)");
  }

  @Test
  void shouldSayHowLateTheOpenLoopSent() {
    String table = LoadReport.table(Points.sweep(List.of("a"), List.of(new LoadPattern.Open(500))));

    assertThat(table).contains("500/s: sent p50 50 µs, p99 50 µs after due");
  }

  @Test
  void shouldWriteEveryFigureAsJson() {
    JsonArray json = LoadReport.json(Points.sweep(List.of("a", "b"), Points.closed(1, 4)));

    assertThat(json).hasSize(2);
    JsonObject point = json.getJsonObject(1);
    assertThat(point.getDouble("concurrency")).isEqualTo(4);
    assertThat(point.getDouble("server_cpu_seconds")).isEqualTo(0.4);
    assertThat(point.getJsonArray("models")).hasSize(2);
    JsonObject latency =
        point.getJsonArray("models").getJsonObject(0).getJsonObject("latency_micros");
    assertThat(latency.fieldNames())
        .containsExactly("p50", "p90", "p95", "p99", "p99.9", "max", "mean");
    assertThat(latency.getDouble("p50")).isLessThan(latency.getDouble("p99"));
    assertThat(
            json.getJsonObject(0).getJsonArray("models").getJsonObject(0).getJsonObject("errors"))
        .isEqualTo(new JsonObject().put("HTTP 429: queue full", 3));
  }

  @Test
  void shouldRefuseARowOfAnotherLength() {
    TextTable table = new TextTable(1, "a", "b");

    assertThatThrownBy(() -> table.add(List.of("1"))).isInstanceOf(IllegalArgumentException.class);
  }
}
