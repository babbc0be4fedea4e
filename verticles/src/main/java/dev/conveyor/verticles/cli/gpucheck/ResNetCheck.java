package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.GpuBackend;
import dev.conveyor.models.device.GpuModel;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * That an instance, copies and all, is as fast as its engine alone, on a network of the size that
 * people have; and what a precision does to speed and answers.
 */
final class ResNetCheck implements Check {

  private static final Duration LIMIT = Duration.ofMinutes(15);
  private static final int BATCH = 32;
  private static final String EXACT = "FP32";
  private static final int SIDE = 224;
  private static final double SECONDS = 5;
  private static final double LEAST_SHARE = 0.97;
  private static final double LEAST_UTILIZATION = 0.95;

  private final String name;
  private final String precision;
  private final double tolerance;
  private final double seconds;

  ResNetCheck(String name, String precision, double tolerance) {
    this(name, precision, tolerance, SECONDS);
  }

  /** Makes one that measures for {@code seconds} each. */
  ResNetCheck(String name, String precision, double tolerance, double seconds) {
    this.name = name;
    this.precision = precision;
    this.tolerance = tolerance;
    this.seconds = seconds;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String what() {
    return String.format(
        Locale.ROOT,
        "ResNet-50-shaped, TensorRT %s: instance / bare loop >= %.2f, utilisation >= %.0f %%,"
            + " answers within %.0e",
        precision,
        LEAST_SHARE,
        100 * LEAST_UTILIZATION,
        tolerance);
  }

  @Override
  public Duration limit() {
    return LIMIT;
  }

  @Override
  public Finding run(CheckSite site) throws Exception {
    Way way = way(site, precision);
    GpuBackend backend = way.find();
    String unavailable = backend.unavailable();
    if (!unavailable.isEmpty()) {
      return Finding.skipped(unavailable);
    }
    Subject subject = Subject.resNet50(site, BATCH);
    ModelConfig exact = precision.equals(EXACT) ? null : way(site, EXACT).config(subject);
    return run(site, backend, way.config(subject), exact, subject);
  }

  /** Eight bits are calibrated on the demo's photos, in the range of the random images. */
  static Way way(CheckSite site, String precision) {
    Path cache = site.scratch().resolve("engines");
    if (!precision.equals("INT8")) {
      return Way.tensorRt(precision, cache);
    }
    String photos = Subject.photos(site).toString();
    Way way = Way.tensorRt(precision, cache, new JsonObject().put("int8_calibration_data", photos));
    double middle = 127.5;
    JsonArray means = new JsonArray();
    JsonArray scales = new JsonArray();
    for (int c = 0; c < 3; c++) {
      means.add(middle);
      scales.add(1 / middle);
    }
    JsonObject images =
        new JsonObject()
            .put("input", "image")
            .put("height", SIDE)
            .put("width", SIDE)
            .put("mean", means)
            .put("scale", scales);
    way.settings()
        .put("conveyor", new JsonObject().put("preprocessing", new JsonArray().add(images)));
    return way;
  }

  /**
   * Measures.
   *
   * @param exact to compare the speed with; null for nothing
   */
  Finding run(
      CheckSite site,
      GpuBackend backend,
      ModelConfig config,
      @Nullable ModelConfig exact,
      Subject subject)
      throws Exception {
    final List<float[]> expected = subject.onCpu();
    double bare = BareLoop.perSecond(site, backend, config, subject, seconds);
    GpuModel model = ModelCheck.load(site, backend, subject, config);
    double worst;
    Throughput instance;
    Timeline timeline;
    try {
      try (ModelExecutor executor = model.newExecutor(subject.maxBatchSize())) {
        worst =
            Answers.worstDifference(
                expected, Answers.of(executor, subject.items(), subject.maxBatchSize()));
      }
      instance = Throughput.measure(site, model, subject.items(), subject.maxBatchSize(), seconds);
      timeline = Timeline.record(site, model, name, subject.items(), subject.maxBatchSize());
    } finally {
      model.close();
    }
    double share = instance.perSecond() / bare;
    double speedUp =
        exact == null ? 1 : bare / BareLoop.perSecond(site, backend, exact, subject, seconds);
    double utilization = instance.utilization().orElse(Double.NaN);
    String figure =
        String.format(
            Locale.ROOT,
            "%,.0f images/s in batches of %d, bare %,.0f (share %.3f; %.2f of %s), utilisation %.0f"
                + " %%, multiprocessors busy %.0f %%, computing %.3f of the time in %s, worst"
                + " difference %.2e",
            instance.perSecond(),
            subject.maxBatchSize(),
            bare,
            share,
            speedUp,
            EXACT,
            100 * utilization,
            100 * instance.smActivity().orElse(Double.NaN),
            timeline.computeShare(),
            timeline.file().getFileName(),
            worst);
    String reason =
        share < LEAST_SHARE
            ? "the device waits between batches"
            : worst > tolerance ? "the answers differ" : "utilisation is low, or not told by NVML";
    boolean holds = share >= LEAST_SHARE && worst <= tolerance && utilization >= LEAST_UTILIZATION;
    Finding finding =
        Finding.of(holds, figure, reason)
            .with("images_per_second", instance.perSecond())
            .with("bare_images_per_second", bare)
            .with("share_of_bare", share)
            .with("speed_up_over_fp32", speedUp)
            .with("compute_share", timeline.computeShare())
            .with("worst_relative_difference", worst);
    finding = Double.isNaN(utilization) ? finding : finding.with("utilization", utilization);
    return instance.smActivity().isEmpty()
        ? finding
        : finding.with("sm_activity", instance.smActivity().getAsDouble());
  }
}
