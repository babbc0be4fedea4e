package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.suite.RealServer.Served;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleBinaryOperator;
import java.util.function.ToDoubleFunction;

/**
 * How well the server knows what its batches will take: by its own account of the last ones.
 *
 * <p>Not thread-safe: owned by the suite.
 */
final class PredictionRows {

  /** What the server judges its predictions by. */
  private static final int JUDGED_BATCHES = 512;

  private static final int MOST_TURNS = 8;

  private final Lab lab;
  private final RealServer server;
  private final List<Accuracy> busy = new ArrayList<>();
  private final List<Accuracy> quiet = new ArrayList<>();

  PredictionRows(Lab lab, RealServer server) {
    this.lab = lab;
    this.server = server;
  }

  List<SuiteRow> rows() {
    return List.of(
        new SuiteRow(
            "predicted / measured batch time: largest median error of the three models",
            Target.atMost(5, "%"),
            () -> accuracy(Accuracy::medianError, Math::max)),
        new SuiteRow(
            "runs under the predicted p99: smallest share of the three models",
            Target.atLeast(97, "%"),
            () -> accuracy(Accuracy::shareUnderP99, Math::min)));
  }

  /** How well the costs of the last 512 batches of a model were predicted, parts of 1. */
  private record Accuracy(double medianError, double shareUnderP99, long batches) {}

  private Measured accuracy(ToDoubleFunction<Accuracy> figure, DoubleBinaryOperator worst)
      throws Exception {
    if (quiet.isEmpty()) {
      for (Served model : RealServer.MODELS) {
        busy.add(accuracyOf(model));
      }
      for (Served model : RealServer.MODELS) {
        runAlone(model);
        quiet.add(accuracyOf(model));
      }
    }
    double value = quiet.stream().mapToDouble(figure).reduce(worst).orElseThrow();
    List<String> all = new ArrayList<>();
    for (int i = 0; i < RealServer.MODELS.size(); i++) {
      all.add(
          String.format(
              Locale.ROOT,
              "%s %.4f, %.4f",
              RealServer.MODELS.get(i).name(),
              figure.applyAsDouble(quiet.get(i)),
              figure.applyAsDouble(busy.get(i))));
    }
    return new Measured(
        100 * value,
        "GET /v2/models/NAME/profile, last 512 batches: first each model alone, one client that"
            + " sends batches of all sizes one after another; then the three together beside their"
            + " clients, after the load of the rows above: "
            + String.join("; ", all));
  }

  /** One request at a time, of every batch size in turn, until these are all that is judged. */
  private void runAlone(Served model) throws Exception {
    ServerProcess target = server.get();
    try (HttpLoad load = HttpLoad.on(lab, target)) {
      List<InferPayload> payloads = new ArrayList<>();
      for (int batch = 1; batch <= model.largestBatch(); batch++) {
        payloads.add(load.payload(model.name(), batch));
      }
      long enough = accuracyOf(model).batches() + JUDGED_BATCHES;
      for (int i = 0; i < MOST_TURNS && accuracyOf(model).batches() < enough; i++) {
        load.driver()
            .run(
                List.of(load.driver().lane(model.name(), payloads)),
                new LoadPlan(
                    new LoadPattern.Closed(1),
                    lab.warmup(),
                    lab.duration(),
                    target.cpu(),
                    ProcFs.ownCpu(),
                    1));
      }
      if (accuracyOf(model).batches() < enough) {
        throw new CannotMeasureException(
            "%s ran fewer than %d batches alone".formatted(model.name(), JUDGED_BATCHES));
      }
    }
  }

  private Accuracy accuracyOf(Served model) throws Exception {
    JsonObject accuracy = server.device(model).getJsonObject("accuracy");
    return new Accuracy(
        accuracy.getDouble("median_error"),
        accuracy.getDouble("share_under_p99"),
        accuracy.getLong("batches"));
  }
}
