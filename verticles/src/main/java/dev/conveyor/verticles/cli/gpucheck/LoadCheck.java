package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.device.GpuBackend;
import dev.conveyor.models.device.GpuModel;
import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.CpuClock;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.LoadDriver;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import dev.conveyor.verticles.bench.load.LoadProtocols;
import dev.conveyor.verticles.bench.load.LoadTarget;
import dev.conveyor.verticles.bench.load.Payloads;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * That a server, asked over HTTP for one photo at a time, is nearly as fast as full batches without
 * a server, and keeps an objective when it is asked at random times at 70 % of that.
 */
final class LoadCheck implements Check {

  private static final Duration LIMIT = Duration.ofMinutes(12);
  private static final int BATCH = 32;
  private static final int SIDE = 224;
  private static final double SECONDS = 5;
  private static final double LEAST_SHARE = 0.92;
  private static final double LOAD = 0.7;
  private static final long OBJECTIVE_US = 15_000;
  private static final int CONNECTIONS = 256;
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  /** Two names, since what promises an objective refuses what would miss it. */
  private static final String SATURATED = "saturated";

  private static final String PROMISED = "promised";

  private final double seconds;

  LoadCheck() {
    this(SECONDS);
  }

  /** Makes one that measures for {@code seconds} each. */
  LoadCheck(double seconds) {
    this.seconds = seconds;
  }

  /** Makes requests of one item. */
  interface Requests {
    List<InferPayload> of(LoadDriver driver, String model) throws Exception;
  }

  @Override
  public String name() {
    return "resnet50-http";
  }

  @Override
  public String what() {
    return String.format(
        Locale.ROOT,
        "ResNet-50-shaped, TensorRT FP16, photos over HTTP: server / full batches without one >= %.2f,"
            + " p99 at %.0f %% of that <= %d ms",
        LEAST_SHARE,
        100 * LOAD,
        OBJECTIVE_US / 1000);
  }

  @Override
  public Duration limit() {
    return LIMIT;
  }

  @Override
  public Finding run(CheckSite site) throws Exception {
    Way way = Way.tensorRt("FP16", site.scratch().resolve("engines"));
    GpuBackend backend = way.find();
    String unavailable = backend.unavailable();
    if (!unavailable.isEmpty()) {
      return Finding.skipped(unavailable);
    }
    List<Buffer> photos = Payloads.readImages(Subject.photos(site));
    JsonObject images =
        new JsonObject()
            .put("input", "image")
            .put("height", SIDE)
            .put("width", SIDE)
            .put("device", "AUTO");
    JsonObject served =
        new JsonObject()
            .put("conveyor", new JsonObject().put("preprocessing", new JsonArray().add(images)));
    return run(
        site,
        way,
        Subject.resNet50(site, BATCH),
        served,
        (driver, model) -> Payloads.images(model, driver.inputs(model), List.of(), 1, photos));
  }

  /**
   * Measures.
   *
   * @param served more of the configuration of the model in the server
   */
  Finding run(CheckSite site, Way way, Subject subject, JsonObject served, Requests requests)
      throws Exception {
    double offline = offline(site, way, subject);
    Path repository = site.scratch().resolve("repository");
    JsonObject settings = way.settings().copy().mergeIn(served, true);
    JsonObject promise =
        new JsonObject()
            .put("conveyor", new JsonObject().put("latency_objective_microseconds", OBJECTIVE_US));
    CheckServer.add(repository, subject, SATURATED, "KIND_GPU", settings);
    CheckServer.add(
        repository, subject, PROMISED, "KIND_GPU", settings.copy().mergeIn(promise, true));
    try (CheckServer server = CheckServer.start(repository);
        LoadDriver driver =
            LoadDriver.connect(
                LoadProtocols.find("http"),
                new LoadTarget(
                    "127.0.0.1", server.server().httpPort(), CONNECTIONS, TIMEOUT, null))) {
      int concurrency = 2 * GpuModel.LANES * subject.maxBatchSize();
      LoadPoint most = load(driver, SATURATED, requests, new LoadPattern.Closed(concurrency));
      double rate = most.inferencesPerSecond();
      if (rate == 0) {
        return Finding.failed("", "nothing was answered: " + most.errors());
      }
      LoadPoint usual = load(driver, PROMISED, requests, new LoadPattern.Open(LOAD * rate));
      return judge(offline, most, usual);
    }
  }

  private double offline(CheckSite site, Way way, Subject subject) throws Exception {
    GpuModel model = ModelCheck.load(site, way.find(), subject, way.config(subject));
    try {
      return Throughput.measure(site, model, subject.items(), subject.maxBatchSize(), seconds)
          .perSecond();
    } finally {
      model.close();
    }
  }

  private LoadPoint load(LoadDriver driver, String model, Requests requests, LoadPattern pattern)
      throws Exception {
    Duration window = Duration.ofMillis((long) (1000 * seconds));
    CpuClock own = ProcFs.ownCpu(); // The server's too: it is this process.
    return driver.run(
        List.of(driver.lane(model, requests.of(driver, model))),
        new LoadPlan(pattern, window, window, own, own, 1));
  }

  private static Finding judge(double offline, LoadPoint most, LoadPoint usual) {
    double share = most.inferencesPerSecond() / offline;
    double p99Ms = usual.latencyNs().getValueAtPercentile(99) / 1e6;
    long failures = most.failures() + usual.failures();
    String figure =
        String.format(
            Locale.ROOT,
            "%,.0f/s over HTTP, full batches without a server %,.0f/s (share %.3f); at %,.0f/s p50 %.2f ms,"
                + " p99 %.2f ms; %d requests failed; client in the same process",
            most.inferencesPerSecond(),
            offline,
            share,
            usual.inferencesPerSecond(),
            usual.latencyNs().getValueAtPercentile(50) / 1e6,
            p99Ms,
            failures);
    String reason =
        failures > 0
            ? "requests failed: " + most.errors() + usual.errors()
            : share < LEAST_SHARE ? "the server is slower" : "the objective is missed";
    boolean holds = failures == 0 && share >= LEAST_SHARE && p99Ms * 1000 <= OBJECTIVE_US;
    return Finding.of(holds, figure, reason)
        .with("http_requests_per_second", most.inferencesPerSecond())
        .with("offline_per_second", offline)
        .with("share_of_offline", share)
        .with("p99_ms_at_load", p99Ms)
        .with("failed_requests", (double) failures);
  }
}
