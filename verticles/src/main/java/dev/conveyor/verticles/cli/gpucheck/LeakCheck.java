package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.GpuBackend;
import dev.conveyor.models.device.GpuModel;
import java.time.Duration;
import java.util.function.Function;

/** That loading, asking and unloading a model again and again leaves the device as it was. */
final class LeakCheck implements Check {

  private static final Duration LIMIT = Duration.ofMinutes(8);
  private static final int WARM_UP = 2;
  private static final int CYCLES = 8;

  private final String name;
  private final Function<CheckSite, Way> way;

  LeakCheck(String name, Function<CheckSite, Way> way) {
    this.name = name;
    this.way = way;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String what() {
    return "the device has as many free bytes after %d loads and unloads as after %d"
        .formatted(WARM_UP + CYCLES, WARM_UP);
  }

  @Override
  public Duration limit() {
    return LIMIT;
  }

  @Override
  public Finding run(CheckSite site) {
    Way chosen = way.apply(site);
    GpuBackend backend = chosen.find();
    String unavailable = backend.unavailable();
    return unavailable.isEmpty()
        ? run(site, backend, chosen, Subject.classifier(site))
        : Finding.skipped(unavailable);
  }

  /** Libraries keep handles and kernels of the first loads: those are not what is looked for. */
  Finding run(CheckSite site, GpuBackend backend, Way chosen, Subject subject) {
    ModelConfig config = chosen.config(subject);
    long before = site.cuda().freeBytes();
    long settled = 0;
    for (int i = 0; i < WARM_UP + CYCLES; i++) {
      if (i == WARM_UP) {
        settled = site.cuda().freeBytes();
      }
      GpuModel model = ModelCheck.load(site, backend, subject, config);
      try (ModelExecutor executor = model.newExecutor(subject.maxBatchSize())) {
        Answers.of(executor, subject.items(), subject.maxBatchSize());
      } finally {
        model.close();
      }
    }
    long missing = settled - site.cuda().freeBytes();
    long held = site.device().reservedBytes();
    return Finding.of(
            missing <= 0 && held == 0,
            "%d bytes missing after %d cycles; the library keeps %,d from its first loads"
                .formatted(missing, CYCLES, before - settled),
            "%d bytes did not come back, %d are in the ledger".formatted(missing, held))
        .with("missing_bytes", (double) missing)
        .with("kept_by_library_bytes", (double) (before - settled));
  }
}
