package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.profile.CostSample;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

/**
 * A device on which one batch takes 10 ms, and two at once take some time that the test chooses.
 */
final class SchedulerOccupancyTest {

  private final Scheduler scheduler = new Scheduler(List.of(DeviceSpec.gpu("gpu", 2)));
  private long now = T0;

  @Test
  void shouldRunOneAtATimeOnceTwoAtOnceHaveShownToDoLess() {
    addModels();
    alternate(25);

    assertThat(atOnce(25)).as("batches at once").isEqualTo(1);
    assertThat(occupancy().beside().get("b/1")).isCloseTo(2.5, Percentage.withPercentage(5));
    assertThat(occupancy().limit()).as("other pairs may do more").isEqualTo(2);
  }

  @Test
  void shouldNotWaitForABatchThatTakesLongerThanAnyDid() {
    addModels();
    alternate(25);
    while (atOnce(25) > 0) {
      // until nothing is queued
    }
    submit("a");
    submit("b");
    Assignment stuck = Objects.requireNonNull(scheduler.poll(now));
    assertThat(scheduler.poll(now)).as("one at a time").isNull();

    long untilNs = scheduler.wakeUpInNs(now);
    assertThat(untilNs).isBetween(10 * MS, 60 * MS);
    assertThat(scheduler.poll(now + untilNs - 1)).as("it may still end").isNull();
    Assignment other = Objects.requireNonNull(scheduler.poll(now + untilNs));
    assertThat(other.instance().key()).isNotEqualTo(stuck.instance().key());
    submit(stuck.instance().key().substring(0, 1));
    assertThat(scheduler.poll(now + untilNs)).as("no more than there is room for").isNull();
  }

  @Test
  void shouldGoOnRunningTwoAtOnceThatDoMoreThanOne() {
    addModels();
    alternate(18);

    assertThat(atOnce(18)).isEqualTo(2);
    assertThat(occupancy().limit()).isEqualTo(2);
    assertThat(occupancy().lastChange()).isEmpty();
    assertThat(occupancy().beside().get("b/1")).isCloseTo(1.8, Percentage.withPercentage(5));
  }

  @Test
  void shouldRunOneAtATimeIfAnObjectiveWouldBeMissedOtherwise() {
    Duration objective = Duration.ofMillis(19); // 18 and a tenth to spare are too much
    ServiceLevel level =
        new ServiceLevel(objective, 99, ServiceLevel.PriorityClass.STANDARD, Duration.ZERO);
    scheduler.addModel(new ModelPlan("a", "1", 1, Optional.empty(), 1, 0, level), now);
    scheduler.addModel(plan("b"), now);
    for (String key : List.of("a/1", "b/1")) {
      scheduler.addInstance(new InstanceRef(key, 0, "gpu", 1), now);
    }
    for (int round = 0; round < 40; round++) {
      submit("a");
      assertThat(atOnce(18)).isEqualTo(1);
    }
    assertThat(occupancy().limit()).isEqualTo(2);
    for (int round = 0; round < 40; round++) {
      submit("a");
      submit("b");
      while (atOnce(18) > 0) {
        // until both are done
      }
    }
    assertThat(occupancy().limit()).isEqualTo(1);
    assertThat(occupancy().lastChange()).contains("an objective would be missed");
  }

  @Test
  void shouldForgetAModelThatIsGone() {
    addModels();
    alternate(18);
    assertThat(occupancy().beside()).containsOnlyKeys("b/1");
    scheduler.removeModel("b/1");

    assertThat(occupancy().beside()).isEmpty();
    assertThat(scheduler.profile("b/1").devices()).isEmpty();
  }

  @Test
  void shouldBeginWithTheSeedsOfAProfile() {
    scheduler.addModel(plan("a"), now);
    scheduler.seedProfile(
        new SchedulerCommand.SeedProfile(
            "a/1", "gpu", ModelProfile.Seed.STORED, List.of(new CostSample(1, 7 * MS))));
    scheduler.seedProfile(
        new SchedulerCommand.SeedProfile("gone/1", "gpu", ModelProfile.Seed.STORED, List.of()));

    ModelProfile.OnDevice device = scheduler.profile("a/1").devices().get(0);
    assertThat(device.seed()).isEqualTo(ModelProfile.Seed.STORED);
    assertThat(device.costs().sizes().get(0).predictedNs()).isEqualTo(7 * MS);
  }

  /** Lets the models run alone and then together, until more than enough is known. */
  private void alternate(long togetherMs) {
    for (int round = 0; round < 40; round++) {
      submit("a");
      assertThat(atOnce(togetherMs)).isEqualTo(1);
      submit("b");
      assertThat(atOnce(togetherMs)).isEqualTo(1);
    }
    for (int round = 0; round < 60; round++) {
      submit("a");
      submit("b");
      int unused = atOnce(togetherMs);
    }
    for (int i = 0; i < 4; i++) {
      submit("a");
      submit("b");
    }
  }

  /** Runs what may run now to its end; returns how many batches that were. */
  private int atOnce(long togetherMs) {
    List<Assignment> running = new ArrayList<>();
    Assignment next = scheduler.poll(now);
    while (next != null) {
      running.add(next);
      next = scheduler.poll(now);
    }
    long tookNs = (running.size() > 1 ? togetherMs : 10) * MS;
    now += tookNs;
    for (Assignment assignment : running) {
      scheduler.onOutcome(
          assignment, new BatchOutcome(true, 1, now - tookNs, 0, tookNs, 0, now), now);
    }
    return running.size();
  }

  private void addModels() {
    for (String name : List.of("a", "b")) {
      scheduler.addModel(plan(name), now);
      scheduler.addInstance(new InstanceRef(name + "/1", 0, "gpu", 1), now);
    }
  }

  private static ModelPlan plan(String name) {
    return new ModelPlan(name, "1", 1, Optional.empty(), 1, 0);
  }

  private void submit(String model) {
    assertThat(scheduler.submit(request().model(model).arrivalNs(now).build(), now)).isNull();
  }

  private ModelProfile.Occupancy occupancy() {
    return scheduler.profile("a/1").devices().get(0).occupancy();
  }
}
