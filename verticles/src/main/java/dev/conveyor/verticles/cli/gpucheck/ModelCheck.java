package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.GpuBackend;
import dev.conveyor.models.device.GpuLoadOptions;
import dev.conveyor.models.device.GpuModel;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/** That a model answers on the GPU, through one library, what it answers on the CPU. */
final class ModelCheck implements Check {

  private static final Duration LIMIT = Duration.ofMinutes(8);
  private static final double SECONDS = 3;

  private final String name;
  private final double tolerance;
  private final Function<CheckSite, Way> way;

  /**
   * Makes the check.
   *
   * @param tolerance largest difference, relative to the largest value
   */
  ModelCheck(String name, double tolerance, Function<CheckSite, Way> way) {
    this.name = name;
    this.tolerance = tolerance;
    this.way = way;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String what() {
    return String.format(
        Locale.ROOT, "the demo's classifier answers as on the CPU, within %.0e", tolerance);
  }

  @Override
  public Duration limit() {
    return LIMIT;
  }

  @Override
  public Finding run(CheckSite site) throws Exception {
    Way chosen = way.apply(site);
    GpuBackend backend = chosen.find();
    String unavailable = backend.unavailable();
    return unavailable.isEmpty()
        ? run(site, backend, chosen, Subject.classifier(site))
        : Finding.skipped(unavailable);
  }

  Finding run(CheckSite site, GpuBackend backend, Way chosen, Subject subject) throws Exception {
    ModelConfig config = chosen.config(subject);
    List<float[]> expected = subject.onCpu();
    long beginNs = System.nanoTime();
    GpuModel model = load(site, backend, subject, config);
    double loadSeconds = (System.nanoTime() - beginNs) / 1e9;
    double worst;
    Throughput throughput;
    Timeline timeline;
    try {
      try (ModelExecutor executor = model.newExecutor(subject.maxBatchSize())) {
        worst =
            Answers.worstDifference(
                expected, Answers.of(executor, subject.items(), subject.maxBatchSize()));
      }
      throughput =
          Throughput.measure(site, model, subject.items(), subject.maxBatchSize(), SECONDS);
      timeline = Timeline.record(site, model, name, subject.items(), subject.maxBatchSize());
    } finally {
      model.close();
    }
    long held = site.device().reservedBytes();
    String figure =
        String.format(
            Locale.ROOT,
            "worst difference %.2e of %d items, %,.0f items/s in batches of %d, computing %.3f of the"
                + " time in %s, loaded in %.1f s",
            worst,
            expected.size(),
            throughput.perSecond(),
            subject.maxBatchSize(),
            timeline.computeShare(),
            timeline.file().getFileName(),
            loadSeconds);
    return Finding.of(
            worst <= tolerance && held == 0,
            figure,
            worst <= tolerance
                ? held + " bytes stay in the ledger after unloading"
                : String.format(Locale.ROOT, "a difference of %.0e is allowed", tolerance))
        .with("worst_relative_difference", worst)
        .with("items_per_second", throughput.perSecond())
        .with("compute_share", timeline.computeShare())
        .with("load_seconds", loadSeconds);
  }

  static GpuModel load(CheckSite site, GpuBackend backend, Subject subject, ModelConfig config) {
    GpuLoadOptions options =
        new GpuLoadOptions("check/1", site.cuda(), site.gpu().ordinal(), site.device(), config);
    return GpuModel.load(subject.file(), site.place(), List.of(backend), options, 0);
  }
}
