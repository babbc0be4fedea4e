package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.Lane;
import dev.conveyor.verticles.bench.load.LoadDriver;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import dev.conveyor.verticles.bench.load.Payloads;
import io.vertx.core.buffer.Buffer;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * What a model that computes on one thread keeps of its rate while pictures wait to be decoded
 * without end, on a running server. By turns with the same model alone.
 *
 * <p>Not thread-safe: owned by the suite.
 */
final class CoresRow {

  private static final String COMPUTE = "compute";
  private static final String DECODE = "decode";

  /** Waiting at any time, so that a worker that is free always finds one. */
  private static final int FLOOD = 16;

  private static final int IN_FLIGHT = 2;

  private final Lab lab;
  private double floodRate;
  private double aloneP99Ms;
  private double besideP99Ms;

  CoresRow(Lab lab) {
    this.lab = lab;
  }

  Measured measure() throws Exception {
    TestRepository repository = lab.repository();
    repository.add(COMPUTE, lab.modelFile("squeezenet.onnx"), TestRepository.config(1, 1, 1));
    repository.addConfig(DECODE, PipelineConfigs.thumbnail());
    try (ServerProcess server = lab.startServer(repository, List.of());
        HttpLoad compute = HttpLoad.on(lab, server);
        HttpLoad flood = HttpLoad.on(lab, server)) {
      Lane computing = lane(compute, COMPUTE, List.of(compute.payload(COMPUTE)));
      Lane decoding =
          lane(
              flood,
              DECODE,
              Payloads.images(
                  DECODE,
                  flood.driver().inputs(DECODE),
                  List.of(),
                  1,
                  StreamsRows.frames(lab).stream().map(Buffer::buffer).toList()));
      List<Turns.Amount> sides =
          Turns.run(
              lab,
              List.of(
                  (warmup, duration) -> {
                    LoadPoint alone = run(compute.driver(), computing, IN_FLIGHT, warmup, duration);
                    aloneP99Ms = p99Ms(alone);
                    return amount(alone);
                  },
                  (warmup, duration) -> {
                    // The flood begins with the warm-up and ends after the window.
                    Duration whole = warmup.plus(duration).plusSeconds(1);
                    CompletableFuture<LoadPoint> pictures = new CompletableFuture<>();
                    Thread sender =
                        new Thread(
                            () -> {
                              try {
                                pictures.complete(
                                    run(flood.driver(), decoding, FLOOD, Duration.ZERO, whole));
                              } catch (Throwable e) {
                                pictures.completeExceptionally(e);
                              }
                            },
                            "flood");
                    sender.start();
                    LoadPoint beside =
                        run(compute.driver(), computing, IN_FLIGHT, warmup, duration);
                    floodRate = pictures.get(1, TimeUnit.MINUTES).inferencesPerSecond();
                    besideP99Ms = p99Ms(beside);
                    return amount(beside);
                  }));
      double alone = sides.get(0).rate();
      double beside = sides.get(1).rate();
      return new Measured(
          beside / alone,
          String.format(
              Locale.ROOT,
              "squeezenet on one thread, %d in flight; alone %.1f/s, p99 %.1f ms; while %d JPEGs of"
                  + " 720p are always to be decoded (%.1f/s are) %.1f/s, p99 %.1f ms; %d windows each"
                  + " by turns, clients on the same cores",
              IN_FLIGHT,
              alone,
              aloneP99Ms,
              FLOOD,
              floodRate,
              beside,
              besideP99Ms,
              Turns.ROUNDS));
    }
  }

  private static Lane lane(HttpLoad load, String model, List<InferPayload> payloads) {
    return load.driver().lane(model, payloads);
  }

  private static LoadPoint run(
      LoadDriver driver, Lane lane, int inFlight, Duration warmup, Duration duration)
      throws TimeoutException {
    LoadPoint point =
        driver.run(
            List.of(lane),
            new LoadPlan(
                new LoadPattern.Closed(inFlight),
                warmup,
                duration,
                ProcFs.ownCpu(),
                ProcFs.ownCpu(),
                1));
    if (point.failures() > 0) {
      throw new CannotMeasureException("requests failed: " + point.errors());
    }
    return point;
  }

  private static Turns.Amount amount(LoadPoint point) {
    return new Turns.Amount(point.inferences(), point.windowNs() / 1e9);
  }

  private static double p99Ms(LoadPoint point) {
    return point.latencyNs().getValueAtPercentile(99) / 1e6;
  }
}
