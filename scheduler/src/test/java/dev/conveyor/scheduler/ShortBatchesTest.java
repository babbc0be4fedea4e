package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.profile.CostSample;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Batches of an overloaded model beside one that keeps up, under virtual time. */
final class ShortBatchesTest {

  private static final int LARGEST = 4;
  private static final long SECOND_NS = 1000 * MS;

  /** More than waits within an objective of 100 ms at 10 ms per item, with half to spare. */
  private static final int TOO_MANY = 15;

  private static final List<CostSample> NO_FASTER = costs(10, 20, 40);
  private static final List<CostSample> FASTER = costs(10, 13, 18);

  private static List<CostSample> costs(int one, int two, int four) {
    return List.of(
        new CostSample(1, one * MS),
        new CostSample(1, 3 * MS * one), // a first run
        new CostSample(2, two * MS),
        new CostSample(4, four * MS));
  }

  @Test
  void shouldRunShortBatchesOfAnOverloadedModelBesideOneThatKeepsUp() {
    assertThat(itemsOfBusy(DeviceSpec.cpu("d", 1), NO_FASTER, TOO_MANY, 0)).isEqualTo(1);
  }

  @Test
  void shouldRunFullOnesWhereNobodyElseUsedTheDeviceForASecond() {
    DeviceSpec cpu = DeviceSpec.cpu("d", 1);
    assertThat(itemsOfBusy(cpu, NO_FASTER, TOO_MANY, SECOND_NS - 1)).isEqualTo(1);
    assertThat(itemsOfBusy(cpu, NO_FASTER, TOO_MANY, SECOND_NS)).isEqualTo(LARGEST);
  }

  @Test
  void shouldRunFullOnesOfAModelThatKeepsUp() {
    assertThat(itemsOfBusy(DeviceSpec.cpu("d", 1), NO_FASTER, LARGEST, 0)).isEqualTo(LARGEST);
  }

  @Test
  void shouldRunFullOnesWhereTheyAreFasterOrTheDeviceIsNoCpu() {
    assertThat(itemsOfBusy(DeviceSpec.cpu("d", 1), FASTER, 34, 0)).isEqualTo(LARGEST);
    assertThat(itemsOfBusy(DeviceSpec.gpu("d", 1), NO_FASTER, TOO_MANY, 0)).isEqualTo(LARGEST);
  }

  @Test
  void shouldFindTheSmallestSizeThatDoesMostOfTheWorkOfTheLargest() {
    assertThat(ShortBatches.smallestFast(costs(10, 20, 34))).isEqualTo(1);
    assertThat(ShortBatches.smallestFast(costs(10, 16, 33))).isEqualTo(2);
    assertThat(ShortBatches.smallestFast(FASTER)).isEqualTo(LARGEST);
    assertThat(ShortBatches.smallestFast(List.of())).isEqualTo(Integer.MAX_VALUE);
  }

  /**
   * Returns the items of the first batch of a model of which so many requests wait, so long after
   * another has run one.
   */
  private static int itemsOfBusy(
      DeviceSpec device, List<CostSample> costs, int requests, long laterNs) {
    Scheduler scheduler = new Scheduler(List.of(device));
    for (String name : List.of("busy", "calm")) {
      ModelPlan plan =
          new ModelPlan(
              name,
              "1",
              LARGEST,
              Optional.of(DynamicBatching.DEFAULT),
              1,
              0,
              new ServiceLevel(
                  Duration.ofMillis(100), 99, ServiceLevel.PriorityClass.STANDARD, Duration.ZERO));
      scheduler.addModel(plan, T0);
      scheduler.addInstance(new InstanceRef(plan.key(), 0, device.name(), 1), T0);
      scheduler.seedProfile(
          new SchedulerCommand.SeedProfile(
              plan.key(), device.name(), ModelProfile.Seed.WARM_UP, costs));
    }
    assertThat(scheduler.submit(request().model("calm").arrivalNs(T0).build(), T0)).isNull();
    Assignment calm = Objects.requireNonNull(scheduler.poll(T0));
    scheduler.onOutcome(calm, SchedulerCase.ran(10 * MS), T0);
    long nowNs = T0 + laterNs;
    List<Object> refused = new ArrayList<>();
    for (int i = 0; i < requests; i++) {
      refused.add(scheduler.submit(request().model("busy").arrivalNs(nowNs).build(), nowNs));
    }
    assertThat(refused).containsOnlyNulls();
    return Objects.requireNonNull(scheduler.poll(nowNs)).batch().items();
  }
}
