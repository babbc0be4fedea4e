package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.GpuBackend;
import dev.conveyor.models.device.GpuModel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;

/**
 * That a whole server is as fast as the engine of its model alone in a loop: with inputs in pinned
 * memory, asked in its process, so that neither a network nor a client takes part.
 */
final class ThroughputCheck implements Check {

  private static final Duration LIMIT = Duration.ofMinutes(15);
  private static final int BATCH = 32;
  private static final double SECONDS = 5;
  private static final double LEAST_SHARE = 0.97;
  private static final String MODEL = "served";

  private final double seconds;

  ThroughputCheck() {
    this(SECONDS);
  }

  /** Makes one that measures for {@code seconds} each. */
  ThroughputCheck(double seconds) {
    this.seconds = seconds;
  }

  @Override
  public String name() {
    return "resnet50-server";
  }

  @Override
  public String what() {
    return String.format(
        Locale.ROOT,
        "ResNet-50-shaped, TensorRT FP16: server, asked in its process / bare loop >= %.2f",
        LEAST_SHARE);
  }

  @Override
  public Duration limit() {
    return LIMIT;
  }

  @Override
  public Finding run(CheckSite site) throws Exception {
    Way way = Way.tensorRt("FP16", site.scratch().resolve("engines"));
    String unavailable = way.find().unavailable();
    return unavailable.isEmpty()
        ? run(site, way, Subject.resNet50(site, BATCH))
        : Finding.skipped(unavailable);
  }

  /** Measures. */
  Finding run(CheckSite site, Way way, Subject subject) throws Exception {
    GpuBackend backend = way.find();
    ModelConfig config = way.config(subject);
    double bare = BareLoop.perSecond(site, backend, config, subject, seconds);
    Path repository = site.scratch().resolve("repository");
    CheckServer.add(repository, subject, MODEL, "KIND_GPU", way.settings());
    double served;
    int inFlight = 2 * GpuModel.LANES * subject.maxBatchSize();
    try (CheckServer server = CheckServer.start(repository)) {
      served = ServerLoad.perSecond(server, MODEL, subject.items(), inFlight, seconds);
    }
    double share = served / bare;
    String figure =
        String.format(
            Locale.ROOT,
            "%,.0f images/s through a server, %d requests of one at a time; the engine alone %,.0f in"
                + " batches of %d (share %.3f)",
            served,
            inFlight,
            bare,
            subject.maxBatchSize(),
            share);
    return Finding.of(share >= LEAST_SHARE, figure, "the server is slower")
        .with("server_images_per_second", served)
        .with("bare_images_per_second", bare)
        .with("share_of_bare", share);
  }
}
