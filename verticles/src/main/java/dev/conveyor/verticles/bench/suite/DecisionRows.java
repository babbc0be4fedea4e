package dev.conveyor.verticles.bench.suite;

import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.models.config.ServiceLevel.PriorityClass;
import dev.conveyor.scheduler.Assignment;
import dev.conveyor.scheduler.BatchOutcome;
import dev.conveyor.scheduler.DeviceSpec;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InstanceRef;
import dev.conveyor.scheduler.ModelPlan;
import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.scheduler.Scheduler;
import dev.conveyor.scheduler.SchedulerCommand;
import dev.conveyor.scheduler.profile.CostSample;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;

/**
 * What one decision costs: {@link Scheduler#poll} alone, on one device whose models all have
 * requests waiting, after an outcome has freed it. {@code scripts/jmh SchedulerBenchmark} measures
 * the outcome and the arrivals too.
 *
 * <p>The clock is read around each decision, and what reading it takes is subtracted. The median is
 * taken, because on a shared machine a mean also counts what other processes took. Stateless.
 */
final class DecisionRows {

  private static final long BATCH_NS = 2_000_000;
  private static final int WARM_UP = 200_000;
  private static final int DECISIONS = 200_000;
  private static final ReplyTo NOBODY = ReplyTo.unheard();

  private DecisionRows() {}

  static List<SuiteRow> rows() {
    return List.of(row(8, 1), row(1000, 5));
  }

  private static SuiteRow row(int models, double limitMicros) {
    return new SuiteRow(
        String.format(Locale.ROOT, "one decision with %,d models that all have requests", models),
        Target.atMost(limitMicros, "µs"),
        () -> measure(models));
  }

  private static Measured measure(int models) {
    Scheduler scheduler = new Scheduler(List.of(DeviceSpec.gpu("gpu", 1)));
    for (int i = 0; i < models; i++) {
      add(scheduler, "m" + i);
    }
    long nowNs = 0;
    Assignment running = Objects.requireNonNull(scheduler.poll(nowNs));
    long[] spentNs = new long[DECISIONS];
    long cpuNs = 0;
    for (int i = 0; i < WARM_UP + DECISIONS; i++) {
      if (i == WARM_UP) {
        cpuNs = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
      }
      nowNs += BATCH_NS;
      int items = running.batch().items();
      scheduler.onOutcome(
          running, new BatchOutcome(true, items, 0, 0, BATCH_NS, 0, BATCH_NS), nowNs);
      long fromNs = System.nanoTime();
      running = Objects.requireNonNull(scheduler.poll(nowNs));
      spentNs[i % DECISIONS] = System.nanoTime() - fromNs;
      List<InferenceRequest> requests = running.batch().requests();
      for (int k = 0; k < requests.size(); k++) {
        submit(scheduler, requests.get(k).model(), nowNs);
      }
    }
    cpuNs = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - cpuNs;
    double clockNs = clockNs();
    return new Measured(
        (median(spentNs) - clockNs) / 1e3,
        String.format(
            Locale.ROOT,
            "median of %,d times Scheduler.poll, by the clock, less %.0f ns for reading it; with the"
                + " outcome before and the four arrivals after it %.2f µs of CPU time",
            DECISIONS,
            clockNs,
            (double) cpuNs / DECISIONS / 1e3));
  }

  private static void add(Scheduler scheduler, String name) {
    ModelPlan plan =
        new ModelPlan(
            name,
            "1",
            8,
            Optional.of(DynamicBatching.DEFAULT),
            1,
            100,
            new ServiceLevel(Duration.ofHours(1), 99, PriorityClass.STANDARD, Duration.ZERO));
    scheduler.addModel(plan, 0);
    for (int size = 1; size <= 8; size *= 2) {
      scheduler.seedProfile(
          new SchedulerCommand.SeedProfile(
              plan.key(),
              "gpu",
              ModelProfile.Seed.WARM_UP,
              Collections.nCopies(3, new CostSample(size, BATCH_NS))));
    }
    scheduler.addInstance(new InstanceRef(plan.key(), 0, "gpu", 1), 0);
    for (int i = 0; i < 4; i++) {
      submit(scheduler, name, 0);
    }
  }

  private static void submit(Scheduler scheduler, String model, long nowNs) {
    InferenceRequest request =
        InferenceRequest.of(model, "1", List.of(), NOBODY).arrivalNs(nowNs).build();
    if (scheduler.submit(request, nowNs) != null) {
      throw new IllegalStateException("refused");
    }
  }

  private static double clockNs() {
    long[] spentNs = new long[DECISIONS];
    for (int i = 0; i < DECISIONS; i++) {
      long fromNs = System.nanoTime();
      spentNs[i] = System.nanoTime() - fromNs;
    }
    return median(spentNs);
  }

  private static double median(long[] values) {
    Arrays.sort(values);
    return values[values.length / 2];
  }
}
