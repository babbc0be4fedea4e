package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.Lane;
import dev.conveyor.verticles.bench.load.LoadDriver;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import dev.conveyor.verticles.bench.load.LoadProtocols;
import dev.conveyor.verticles.bench.load.LoadTarget;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * What the server itself costs, shown by a model that does nothing.
 *
 * <p>Not thread-safe: owned by the suite.
 */
final class IdentityRows {

  private static final String MODEL = ServingServer.IDENTITY;

  /** Compiling the server's code is not its cost per request, and takes longest on a new server. */
  private static final int COLD_WARMUPS = 4;

  private final Lab lab;
  private final ServingServer server;

  IdentityRows(Lab lab, ServingServer server) {
    this.lab = lab;
    this.server = server;
  }

  List<SuiteRow> rows() {
    return List.of(
        new SuiteRow(
            "identity over HTTP, concurrency 8: inferences per server CPU second",
            Target.atLeast(55_000, ""),
            this::httpPerCpuSecond),
        new SuiteRow(
            "identity over HTTP, concurrency 1: p50 latency",
            Target.atMost(60, "µs"),
            this::httpLatency),
        new SuiteRow(
            "identity over gRPC, concurrency 32: inferences per server CPU second",
            Target.atLeast(30_000, ""),
            this::grpcPerCpuSecond));
  }

  private Measured httpPerCpuSecond() throws Exception {
    try (HttpLoad load = HttpLoad.on(lab, server.get())) {
      Settling settling = load.settle(MODEL, 8);
      HttpLoad.Window window = load.measure(List.of(MODEL), 8, Duration.ZERO, lab.duration());
      HttpLoad.Figures figures = window.models().get(0);
      return new Measured(
          window.requestsPerCpuSecond(),
          String.format(
              Locale.ROOT,
              "%s -c8, binary FP32 [1,16]: %,d inferences in %.2f s (%,.0f/s, p50 %.0f µs),"
                  + " server CPU %.2f s; %s",
              load.client(),
              figures.requests(),
              figures.seconds(),
              figures.perSecond(),
              figures.p50Micros(),
              window.cpuSeconds(),
              settling.how()));
    }
  }

  private Measured httpLatency() throws Exception {
    try (HttpLoad load = HttpLoad.on(lab, server.get())) {
      HttpLoad.Figures figures = load.measure(List.of(MODEL), 1).models().get(0);
      return new Measured(
          figures.p50Micros(),
          String.format(
              Locale.ROOT,
              "%s -c1, binary FP32 [1,16]: %,d inferences in %.2f s",
              load.client(),
              figures.requests(),
              figures.seconds()));
    }
  }

  private Measured grpcPerCpuSecond() throws Exception {
    ServerProcess target = server.get();
    LoadTarget address =
        new LoadTarget("127.0.0.1", target.grpcPort(), 1, Duration.ofSeconds(30), null);
    try (HttpLoad http = HttpLoad.on(lab, target);
        LoadDriver grpc = LoadDriver.connect(LoadProtocols.find("grpc"), address)) {
      Lane lane = grpc.lane(MODEL, List.of(http.payload(MODEL)));
      LoadPoint point =
          grpc.run(
              List.of(lane),
              new LoadPlan(
                  new LoadPattern.Closed(32),
                  coldWarmup(),
                  lab.duration(),
                  target.cpu(),
                  ProcFs.ownCpu(),
                  1));
      if (point.failures() > 0) {
        throw new CannotMeasureException("requests failed: " + point.errors());
      }
      double cpuSeconds = HttpLoad.required(point.serverCpuSeconds());
      return new Measured(
          point.inferences() / cpuSeconds,
          String.format(
              Locale.ROOT,
              "own gRPC client, 32 in flight on one connection, raw FP32 [1,16]: %,d inferences in"
                  + " %.2f s (%,.0f/s, p50 %.0f µs), server CPU %.2f s",
              point.inferences(),
              point.windowNs() / 1e9,
              point.inferencesPerSecond(),
              point.latencyNs().getValueAtPercentile(50) / 1e3,
              cpuSeconds));
    }
  }

  private Duration coldWarmup() {
    return lab.warmup().multipliedBy(COLD_WARMUPS);
  }
}
