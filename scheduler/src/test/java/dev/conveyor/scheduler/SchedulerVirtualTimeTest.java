package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.models.config.ServiceLevel.PriorityClass;
import dev.conveyor.scheduler.VirtualTime.Outcomes;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The whole core against arrivals and costs, under virtual time. */
final class SchedulerVirtualTimeTest {

  private static final long SECOND = 1000 * MS;

  @ParameterizedTest
  @CsvSource({"2, 4, 9", "1, 1, 1", "3, 8, 5"})
  void shouldShareDeviceTimeWithinFivePercentOverAnySecond(int a, int b, int c) {
    VirtualTime time = new VirtualTime(List.of(DeviceSpec.gpu("gpu", 1)), T0, 1);
    int[] costs = {a, b, c};
    for (int i = 0; i < 3; i++) {
      long costNs = costs[i] * MS;
      time.add(plan("m" + i, 8, Duration.ZERO), items -> costNs, "gpu");
      saturate(time, "m" + i, 6 * SECOND);
    }
    time.run();

    for (long second = 1; second < 6; second++) {
      for (int i = 0; i < 3; i++) {
        assertThat(time.of("m" + i).busyNs.get(second) / 1e9)
            .as("model %s in second %s", i, second)
            .isCloseTo(1 / 3.0, within(0.05 / 3));
      }
    }
  }

  /** Overload, objectives that differ fourfold: the tight one may not starve the other. */
  @Test
  void shouldShareWithinFivePercentAlsoBetweenTightAndLooseObjectives() {
    VirtualTime time = new VirtualTime(List.of(DeviceSpec.gpu("gpu", 1)), T0, 2);
    time.add(plan("tight", 16, Duration.ofMillis(15)), SchedulerVirtualTimeTest::gpuNs, "gpu");
    time.add(plan("loose", 16, Duration.ofMillis(60)), SchedulerVirtualTimeTest::gpuNs, "gpu");
    time.arrive("tight", 12_000, 6 * SECOND);
    time.arrive("loose", 12_000, 6 * SECOND);
    time.run();

    for (long second = 1; second < 6; second++) {
      long tight = time.of("tight").busyNs.get(second);
      long loose = time.of("loose").busyNs.get(second);
      assertThat((double) tight / (tight + loose)).isCloseTo(0.5, within(0.025));
    }
  }

  @Test
  void shouldMeetObjectivesBelowCapacityAndKeepServingAtTwiceIt() {
    Outcomes below = single(6_500, 10 * SECOND);
    assertThat(below.failedFraction()).isLessThan(0.01);

    Outcomes twice = single(13_000, 10 * SECOND);
    assertThat(twice.inTime).as("of what was possible below").isGreaterThan(below.inTime);
    assertThat(twice.late).as("what runs is in time, once it has learned").isLessThan(5);
  }

  @Test
  void shouldNotStarveALowClassBeyondItsAgeing() {
    VirtualTime time = saturatedByACriticalModel();
    time.plan(
        SECOND, () -> time.submit(request().model("sheddable").arrivalNs(time.clock()).build()));
    time.run();

    // Two classes up, and then fair among equals: at most its window of batches more.
    assertThat(time.of("sheddable").longestWaitNs).isBetween(400 * MS - 5 * MS, 430 * MS);
  }

  @Test
  void shouldNotCountTheTimeSinceARequestThatWasTooLateToRun() {
    VirtualTime time = saturatedByACriticalModel();
    time.plan(
        SECOND,
        () ->
            time.submit(
                request()
                    .model("sheddable")
                    .arrivalNs(time.clock())
                    .deadlineNs(time.clock() + 50 * MS)
                    .build()));
    time.plan(
        3 * SECOND,
        () -> time.submit(request().model("sheddable").arrivalNs(time.clock()).build()));
    time.run();

    assertThat(time.of("sheddable").refused).isEqualTo(1);
    assertThat(time.of("sheddable").longestWaitNs).isBetween(400 * MS - 5 * MS, 430 * MS);
  }

  @Test
  void shouldNotStarveALowPriorityLevelBeyondItsAgeing() {
    VirtualTime time = new VirtualTime(List.of(DeviceSpec.gpu("gpu", 1)), T0, 4);
    DynamicBatching levels =
        new DynamicBatching(List.of(), Duration.ZERO, false, 2, 1, QueuePolicy.DEFAULT, Map.of());
    time.add(
        new ModelPlan(
            "m",
            "1",
            4,
            Optional.of(levels),
            1,
            40,
            new ServiceLevel(Duration.ZERO, 99, PriorityClass.STANDARD, Duration.ofMillis(300))),
        b -> 10 * MS,
        "gpu");
    saturate(time, "m", 5 * SECOND);
    InferenceRequest low = request().model("m").priority(2).arrivalNs(T0 + SECOND).build();
    time.plan(SECOND, () -> time.submit(low));
    time.run();

    // After the ageing it stands behind a full queue of 40, which takes ten batches.
    assertThat(time.of("m").longestWaitNs).isBetween(300 * MS, 300 * MS + 11 * 10 * MS);
  }

  @Test
  void shouldServeAHigherClassFirst() {
    VirtualTime time = new VirtualTime(List.of(DeviceSpec.gpu("gpu", 1)), T0, 5);
    time.add(plan("critical", 4, PriorityClass.CRITICAL, Duration.ZERO), b -> 5 * MS, "gpu");
    time.add(plan("standard", 4, PriorityClass.STANDARD, Duration.ZERO), b -> 5 * MS, "gpu");
    saturate(time, "standard", SECOND);
    time.arrive("critical", 50, SECOND);
    time.run();

    assertThat(time.of("critical").longestWaitNs)
        .as("one batch at most")
        .isLessThanOrEqualTo(5 * MS);
  }

  /**
   * The decisions of a script; a change here must be meant, and is recorded with {@code
   * -Dconveyor.traces.write=true}.
   */
  @ParameterizedTest
  @CsvSource({"overload", "mixed"})
  void shouldDecideAsRecorded(String name) throws IOException {
    VirtualTime time = name.equals("overload") ? overload() : mixed();
    time.run();
    String actual = String.join("\n", time.trace()) + "\n";

    Path file = Path.of("src/test/resources/traces", name + ".txt");
    if (Boolean.getBoolean("conveyor.traces.write")) {
      Files.createDirectories(file.getParent());
      Files.writeString(file, actual);
    }
    assertThat(actual).isEqualTo(Files.readString(file, StandardCharsets.UTF_8));
  }

  private static VirtualTime overload() {
    VirtualTime time = new VirtualTime(List.of(DeviceSpec.gpu("gpu", 1)), T0, 6).traced();
    time.add(plan("a", 32, Duration.ofMillis(15)), SchedulerVirtualTimeTest::gpuNs, "gpu");
    time.add(plan("b", 32, Duration.ofMillis(40)), SchedulerVirtualTimeTest::gpuNs, "gpu");
    time.arrive("a", 9_000, 40 * MS);
    time.arrive("b", 9_000, 40 * MS);
    return time;
  }

  private static VirtualTime mixed() {
    VirtualTime time =
        new VirtualTime(List.of(DeviceSpec.gpu("gpu0", 1), DeviceSpec.gpu("gpu1", 1)), T0, 7)
            .traced();
    time.add(
        plan("slo", 16, Duration.ofMillis(20)), SchedulerVirtualTimeTest::gpuNs, "gpu0", "gpu1");
    DynamicBatching triton =
        new DynamicBatching(
            List.of(4, 8), Duration.ofMillis(3), false, 0, 0, QueuePolicy.DEFAULT, Map.of());
    time.add(
        new ModelPlan("triton", "1", 16, Optional.of(triton), 1, 100),
        SchedulerVirtualTimeTest::gpuNs,
        "gpu0",
        "gpu1");
    time.add(
        plan("shed", 4, PriorityClass.SHEDDABLE, Duration.ofMillis(30)),
        SchedulerVirtualTimeTest::gpuNs,
        "gpu1");
    time.arrive("slo", 1_500, 150 * MS);
    time.arrive("triton", 1_500, 150 * MS);
    time.arrive("shed", 600, 150 * MS);
    return time;
  }

  private static Outcomes single(double perSecond, long untilNs) {
    VirtualTime time = new VirtualTime(List.of(DeviceSpec.gpu("gpu", 1)), T0, 8);
    time.add(plan("m", 128, Duration.ofMillis(15)), SchedulerVirtualTimeTest::gpuNs, "gpu");
    time.arrive("m", perSecond, untilNs);
    time.run();
    return time.of("m");
  }

  /** Keeps a GPU busy for five seconds with one of two models, both of which age by 200 ms. */
  private static VirtualTime saturatedByACriticalModel() {
    VirtualTime time = new VirtualTime(List.of(DeviceSpec.gpu("gpu", 1)), T0, 3);
    Duration ageing = Duration.ofMillis(200);
    time.add(plan("critical", 4, PriorityClass.CRITICAL, ageing), b -> 5 * MS, "gpu");
    time.add(plan("sheddable", 4, PriorityClass.SHEDDABLE, ageing), b -> 5 * MS, "gpu");
    saturate(time, "critical", 5 * SECOND);
    return time;
  }

  /** Keeps the queue of a model full. */
  private static void saturate(VirtualTime time, String model, long untilNs) {
    Runnable[] again = new Runnable[1];
    long[] atNs = {0};
    again[0] =
        () -> {
          for (int i = 0; i < 20; i++) {
            time.submit(request().model(model).arrivalNs(time.clock()).build());
          }
          atNs[0] += MS;
          if (atNs[0] < untilNs) {
            time.plan(atNs[0], again[0]);
          }
        };
    time.plan(0, again[0]);
  }

  private static ModelPlan plan(String name, int max, Duration objective) {
    ServiceLevel level = new ServiceLevel(objective, 99, PriorityClass.STANDARD, Duration.ZERO);
    return new ModelPlan(name, "1", max, Optional.of(DynamicBatching.DEFAULT), 1, 2000, level);
  }

  private static ModelPlan plan(
      String name, int max, PriorityClass priorityClass, Duration ageing) {
    ServiceLevel level = new ServiceLevel(Duration.ZERO, 99, priorityClass, ageing);
    return new ModelPlan(name, "1", max, Optional.of(DynamicBatching.DEFAULT), 1, 200, level);
  }

  /** Batches of b take 2 + 0.1 b ms: a GPU of medium size. */
  private static long gpuNs(int items) {
    return 2 * MS + items * MS / 10;
  }
}
