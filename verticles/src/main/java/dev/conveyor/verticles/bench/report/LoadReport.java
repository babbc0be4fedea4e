package dev.conveyor.verticles.bench.report;

import dev.conveyor.verticles.bench.load.LaneResult;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPoint;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import org.HdrHistogram.Histogram;

/** Tables, JSON and figures of a sweep. Stateless. */
public final class LoadReport {

  private static final double[] PERCENTILES = {50, 90, 95, 99, 99.9, 100};

  private LoadReport() {}

  /** Returns one row per point and model, and a row for all models where there are several. */
  public static String table(List<LoadPoint> points) {
    TextTable table =
        new TextTable(
            2,
            "load",
            "model",
            "inf/s",
            "p50 µs",
            "p90 µs",
            "p95 µs",
            "p99 µs",
            "p99.9 µs",
            "max µs",
            "errors",
            "server CPU µs/inf",
            "client CPU µs/inf");
    for (LoadPoint point : points) {
      boolean several = point.lanes().size() > 1;
      for (LaneResult lane : point.lanes()) {
        List<String> row = new ArrayList<>(List.of(point.pattern().label(), lane.model()));
        row.addAll(figures(point.inferencesPerSecond(lane), lane.latencyNs(), lane.failures()));
        row.add(several ? "" : cpu(point.serverCpuMicrosPerInference()));
        row.add(several ? "" : cpu(point.clientCpuMicrosPerInference()));
        table.add(row);
      }
      if (several) {
        List<String> row = new ArrayList<>(List.of(point.pattern().label(), "(all)"));
        row.addAll(figures(point.inferencesPerSecond(), point.latencyNs(), point.failures()));
        row.add(cpu(point.serverCpuMicrosPerInference()));
        row.add(cpu(point.clientCpuMicrosPerInference()));
        table.add(row);
      }
    }
    return table.format() + errors(points) + lateness(points);
  }

  /** Returns the points as JSON; latencies in microseconds. */
  public static JsonArray json(List<LoadPoint> points) {
    JsonArray array = new JsonArray();
    for (LoadPoint point : points) {
      JsonArray models = new JsonArray();
      for (LaneResult lane : point.lanes()) {
        models.add(
            new JsonObject()
                .put("model", lane.model())
                .put("inferences_per_second", point.inferencesPerSecond(lane))
                .put("requests", lane.answered())
                .put("inferences", lane.inferences())
                .put("errors", new JsonObject(new TreeMap<String, Object>(lane.errors())))
                .put("latency_micros", percentiles(lane.latencyNs()))
                .put("send_lateness_micros", percentiles(lane.lateNs())));
      }
      JsonObject json =
          new JsonObject()
              .put("load", point.pattern().label())
              .put(key(point.pattern()), point.pattern().value())
              .put("window_seconds", point.windowNs() / 1e9)
              .put("inferences_per_second", point.inferencesPerSecond())
              .put("latency_micros", percentiles(point.latencyNs()))
              .put("models", models);
      point.serverCpuSeconds().ifPresent(s -> json.put("server_cpu_seconds", s));
      point
          .serverCpuMicrosPerInference()
          .ifPresent(micros -> json.put("server_cpu_micros_per_inference", micros));
      point.clientCpuSeconds().ifPresent(s -> json.put("client_cpu_seconds", s));
      array.add(json);
    }
    return array;
  }

  /** Returns throughput and latency over the load, as a figure of two panels. */
  public static Figure figure(String title, List<LoadPoint> points) {
    List<Figure.Series> throughput = new ArrayList<>();
    LoadPoint first = points.get(0);
    for (int lane = 0; lane < first.lanes().size(); lane++) {
      int index = lane;
      throughput.add(
          series(
              first.lanes().get(lane).model(),
              points,
              point -> point.inferencesPerSecond(point.lanes().get(index))));
    }
    if (first.lanes().size() > 1) {
      throughput.add(series("all models", points, LoadPoint::inferencesPerSecond));
    }
    List<Figure.Series> latency = new ArrayList<>();
    for (double percentile : new double[] {50, 95, 99, 99.9}) {
      latency.add(
          series(
              "p" + name(percentile),
              points,
              point -> point.latencyNs().getValueAtPercentile(percentile) / 1e6));
    }
    return new Figure(
        title,
        first.pattern().axis(),
        List.of(
            new Figure.Panel("throughput (inferences/s)", false, throughput),
            new Figure.Panel("latency (ms)", true, latency)));
  }

  private static String key(LoadPattern pattern) {
    if (pattern instanceof LoadPattern.Open) {
      return "rate_per_second";
    }
    return pattern instanceof LoadPattern.Direct ? "threads" : "concurrency";
  }

  private static Figure.Series series(
      String name, List<LoadPoint> points, ToDoubleFunction<LoadPoint> value) {
    return new Figure.Series(
        name,
        points.stream()
            .map(point -> new Figure.Point(point.pattern().value(), value.applyAsDouble(point)))
            .toList());
  }

  private static List<String> figures(double perSecond, Histogram latencyNs, long failures) {
    List<String> cells = new ArrayList<>();
    cells.add(String.format(Locale.ROOT, perSecond < 100 ? "%.1f" : "%,.0f", perSecond));
    for (double percentile : PERCENTILES) {
      cells.add(micros(latencyNs, percentile));
    }
    cells.add(Long.toString(failures));
    return cells;
  }

  private static String micros(Histogram latencyNs, double percentile) {
    return latencyNs.getTotalCount() == 0
        ? "-"
        : String.format(Locale.ROOT, "%,d", latencyNs.getValueAtPercentile(percentile) / 1000);
  }

  private static String cpu(OptionalDouble micros) {
    return micros.isPresent() ? String.format(Locale.ROOT, "%,.1f", micros.getAsDouble()) : "-";
  }

  private static String errors(List<LoadPoint> points) {
    StringBuilder text = new StringBuilder();
    for (LoadPoint point : points) {
      for (Map.Entry<String, Long> error : point.errors().entrySet()) {
        text.append(
            "%s: %,d x %s%n".formatted(point.pattern().label(), error.getValue(), error.getKey()));
      }
    }
    return text.toString();
  }

  /** Says how much of the open loop's latencies is the load generator's own. */
  private static String lateness(List<LoadPoint> points) {
    StringBuilder text = new StringBuilder();
    for (LoadPoint point : points) {
      if (point.pattern() instanceof LoadPattern.Open) {
        Histogram late = LoadPoint.merged(point.lanes().stream().map(LaneResult::lateNs).toList());
        text.append(
            "%s: sent p50 %s µs, p99 %s µs after due (part of the latencies)%n"
                .formatted(point.pattern().label(), micros(late, 50), micros(late, 99)));
      }
    }
    return text.toString();
  }

  private static JsonObject percentiles(Histogram histogramNs) {
    JsonObject json = new JsonObject();
    if (histogramNs.getTotalCount() == 0) {
      return json;
    }
    for (double percentile : PERCENTILES) {
      json.put(
          percentile == 100 ? "max" : "p" + name(percentile),
          histogramNs.getValueAtPercentile(percentile) / 1e3);
    }
    return json.put("mean", histogramNs.getMean() / 1e3);
  }

  private static String name(double percentile) {
    return percentile == Math.rint(percentile)
        ? Integer.toString((int) percentile)
        : Double.toString(percentile);
  }
}
