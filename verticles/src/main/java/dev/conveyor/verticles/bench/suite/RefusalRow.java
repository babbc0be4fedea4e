package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.Lane;
import dev.conveyor.verticles.bench.load.LaneResult;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import dev.conveyor.verticles.bench.suite.HttpLoad.Transport;
import io.vertx.core.json.JsonObject;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.HdrHistogram.Histogram;

/**
 * How soon a client hears that it is refused at the door, of a model that is offered twice what it
 * can do: the 99th percentile, from when the client sent the request to when it has the answer. The
 * queue is bounded and promises no latency: what a batcher gives up later was let in before.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite. The client is on the same cores, all
 * of which batches keep busy, and goes first on them: on a machine of its own it would not wait for
 * them. By how much it sends late is told beside the figure, and is no part of it; how long it
 * takes to look at an answer that has come is.
 */
final class RefusalRow {

  private static final String MODEL = "squeezenet";
  private static final int CONCURRENCY = 16;
  private static final int MAX_BATCH_SIZE = 8;
  private static final double OVERLOAD = 2;
  private static final int MOST_QUEUED = 16;
  private static final String REFUSED = "HTTP 503";

  private final Lab lab;

  RefusalRow(Lab lab) {
    this.lab = lab;
  }

  List<SuiteRow> rows() {
    return Stream.of(Transport.values())
        .map(
            transport ->
                new SuiteRow(
                    "p99 of the time to refuse a request to squeezenet at twice its load"
                        + transport.suffix,
                    Target.atMost(5, "ms"),
                    () -> measure(transport)))
        .toList();
  }

  private Measured measure(Transport transport) throws Exception {
    TestRepository repository = lab.repository();
    repository.add(
        MODEL,
        lab.modelFile(MODEL + ".onnx"),
        TestRepository.config(MAX_BATCH_SIZE, lab.cores(), 1)
            .put(
                "dynamic_batching",
                new JsonObject()
                    .put(
                        "default_queue_policy",
                        new JsonObject().put("max_queue_size", MOST_QUEUED))));
    try (ServerProcess server = lab.startServer(repository, List.of());
        HttpLoad load = HttpLoad.on(lab, server, transport)) {
      load.driver().goFirst();
      double capacity =
          run(load, server, new LoadPattern.Closed(CONCURRENCY)).inferencesPerSecond();
      LoadPoint point = run(load, server, new LoadPattern.Open(OVERLOAD * capacity));
      return judge(point.lanes().get(0), OVERLOAD * capacity, transport);
    }
  }

  private static Measured judge(LaneResult lane, double offered, Transport transport) {
    for (Map.Entry<String, Long> error : lane.errors().entrySet()) {
      if (!error.getKey().startsWith(REFUSED)) {
        throw new CannotMeasureException("not a refusal: " + error);
      }
    }
    Histogram refused = lane.failureNs();
    if (refused.getTotalCount() == 0) {
      throw new CannotMeasureException("nothing was refused");
    }
    return new Measured(
        ms(refused, 99),
        String.format(
            Locale.ROOT,
            "%.0f/s offered in an open loop, %s: %d refused after %.1f ms at p50, %.1f"
                + " at p90, %.1f at p99, %.1f at most; %d answered, p99 %.1f ms; the client, on the"
                + " same cores, sent %.1f ms late at p99",
            offered,
            transport.words,
            refused.getTotalCount(),
            ms(refused, 50),
            ms(refused, 90),
            ms(refused, 99),
            ms(refused, 100),
            lane.latencyNs().getTotalCount(),
            ms(lane.latencyNs(), 99),
            ms(lane.lateNs(), 99)));
  }

  private static double ms(Histogram histogram, double percentile) {
    return histogram.getValueAtPercentile(percentile) / 1e6;
  }

  private LoadPoint run(HttpLoad load, ServerProcess server, LoadPattern pattern) throws Exception {
    Lane lane = load.driver().lane(MODEL, List.of(load.payload(MODEL)));
    return load.driver()
        .run(
            List.of(lane),
            new LoadPlan(pattern, lab.warmup(), lab.duration(), server.cpu(), ProcFs.ownCpu(), 1));
  }
}
