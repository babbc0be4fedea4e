package dev.conveyor.scheduler;

import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.models.config.ServiceLevel.PriorityClass;
import dev.conveyor.scheduler.profile.CostSample;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The cost of one decision when every model has requests waiting: the end of one batch, the choice
 * and the cut of the next, its dispatch, and the arrival of the requests that replace those that
 * ran. {@code scripts/jmh SchedulerBenchmark} runs it.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class SchedulerBenchmark {

  private static final long BATCH_NS = 2_000_000;

  @Param({"8", "1000"})
  int models;

  /** With an objective, requests leave by deadline; without, by Triton's rule. */
  @Param({"true", "false"})
  boolean objective;

  private Scheduler scheduler;
  private Assignment running;
  private long nowNs;

  /** Gives every model four requests and starts the first batch. */
  @Setup
  public void fill() {
    scheduler = new Scheduler(List.of(DeviceSpec.gpu("gpu", 1)));
    ServiceLevel level =
        new ServiceLevel(
            objective ? Duration.ofHours(1) : Duration.ZERO,
            99,
            PriorityClass.STANDARD,
            Duration.ZERO);
    for (int i = 0; i < models; i++) {
      String name = "m" + i;
      ModelPlan plan =
          new ModelPlan(name, "1", 8, Optional.of(DynamicBatching.DEFAULT), 1, 100, level);
      scheduler.addModel(plan, 0);
      scheduler.seedProfile(
          new SchedulerCommand.SeedProfile(
              plan.key(), "gpu", ModelProfile.Seed.WARM_UP, samples()));
      scheduler.addInstance(new InstanceRef(plan.key(), 0, "gpu", 1), 0);
      for (int k = 0; k < 4; k++) {
        submit(name);
      }
    }
    running = scheduler.poll(nowNs);
  }

  /** One batch ends, the next is decided, and four requests take the place of those that run. */
  @Benchmark
  public Assignment decide() {
    nowNs += BATCH_NS;
    Batch done = running.batch();
    scheduler.onOutcome(
        running, new BatchOutcome(true, done.items(), 0, 0, BATCH_NS, 0, BATCH_NS), nowNs);
    running = scheduler.poll(nowNs);
    String model = running.batch().requests().get(0).model();
    for (int i = running.batch().requests().size(); i > 0; i--) {
      submit(model);
    }
    return running;
  }

  private void submit(String model) {
    scheduler.submit(TestRequests.request().model(model).arrivalNs(nowNs).build(), nowNs);
  }

  private static List<CostSample> samples() {
    List<CostSample> samples = new ArrayList<>();
    for (int items = 1; items <= 8; items *= 2) {
      for (int i = 0; i < 3; i++) {
        samples.add(new CostSample(items, BATCH_NS));
      }
    }
    return samples;
  }
}
