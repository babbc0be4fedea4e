package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.profile.CostSample;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What is predicted of a model whose devices are not equally fast. */
final class MixedDevicesTest {

  @Test
  void shouldCountOnAllDevicesForWhatEachIsWorth() {
    Scheduler mixed = slowAndFast(Duration.ZERO);
    // The slow one is known first. The fast one is free in 10 ms and takes as long.
    assertThat(mixed.submit(request().arrivalNs(T0).deadlineNs(T0 + 15 * MS).build(), T0))
        .isNotNull();
    assertThat(mixed.submit(request().arrivalNs(T0).deadlineNs(T0 + 25 * MS).build(), T0)).isNull();
    // That one goes first, at 11 batches in 100 ms.
    assertThat(mixed.submit(request().arrivalNs(T0).deadlineNs(T0 + 28 * MS).build(), T0))
        .isNotNull();
    assertThat(mixed.submit(request().arrivalNs(T0).deadlineNs(T0 + 31 * MS).build(), T0)).isNull();
  }

  @Test
  void shouldTakeAsManyAsAllDevicesServeWithinTheObjective() {
    Scheduler mixed = slowAndFast(Duration.ofMillis(100));
    int taken = 0;
    while (taken < 100 && mixed.submit(request().arrivalNs(T0).build(), T0) == null) {
      taken++;
    }
    assertThat(taken).as("1.5 x (100 / 100 + 100 / 10)").isEqualTo(17);
  }

  /** A model on a device that takes 100 ms and one that takes 10 ms, both of which are busy. */
  private static Scheduler slowAndFast(Duration objective) {
    Scheduler scheduler =
        new Scheduler(List.of(DeviceSpec.gpu("slow", 1), DeviceSpec.gpu("fast", 1)));
    ServiceLevel level =
        new ServiceLevel(objective, 99, ServiceLevel.PriorityClass.STANDARD, Duration.ZERO);
    ModelPlan plan = new ModelPlan("m", "1", 1, Optional.of(DynamicBatching.DEFAULT), 1, 0, level);
    scheduler.addModel(plan, T0);
    for (String device : List.of("slow", "fast")) {
      CostSample sample = new CostSample(1, device.equals("slow") ? 100 * MS : 10 * MS);
      scheduler.seedProfile(
          new SchedulerCommand.SeedProfile(
              plan.key(), device, ModelProfile.Seed.WARM_UP, Collections.nCopies(20, sample)));
      scheduler.addInstance(
          new InstanceRef(plan.key(), device.equals("slow") ? 0 : 1, device, 1), T0);
    }
    for (int i = 0; i < 2; i++) {
      assertThat(scheduler.submit(request().arrivalNs(T0).build(), T0)).isNull();
      assertThat(scheduler.poll(T0)).isNotNull();
    }
    return scheduler;
  }
}
