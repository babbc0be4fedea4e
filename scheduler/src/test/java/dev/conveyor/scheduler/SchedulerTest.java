package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.QueuePolicy.TimeoutAction;
import dev.conveyor.scheduler.batching.Rejection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class SchedulerTest extends SchedulerCase {

  SchedulerTest() {
    super(DeviceSpec.cpu("cpu", 4), DeviceSpec.gpu("gpu", 2));
  }

  @Test
  void shouldBindABatchOnlyWhenAnInstanceIsFree() {
    add("m", 8, DynamicBatching.DEFAULT, 1);
    assertThat(submit("m")).isNull();
    assertThat(scheduler.poll(T0)).as("no instance yet").isNull();

    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 2), T0);
    Assignment first = scheduler.poll(T0);
    assertThat(first.batch().items()).isEqualTo(1);
    assertThat(submit("m")).isNull();
    assertThat(submit("m")).isNull();
    assertThat(scheduler.poll(T0)).as("the instance is busy").isNull();

    scheduler.onOutcome(first, ran(MS), T0 + MS);
    Assignment second = scheduler.poll(T0 + MS);
    assertThat(second.batch().items()).isEqualTo(2);
    assertThat(second.instance()).isEqualTo(new InstanceRef("m/1", 0, "cpu", 2));
    scheduler.onOutcome(first, ran(MS), T0 + MS);
    assertThat(submit("m")).isNull();
    assertThat(scheduler.poll(T0 + MS)).as("an outcome counts once").isNull();
  }

  @Test
  void shouldNotOversubscribeCoresAndRunAModelLargerThanTheDeviceAlone() {
    add("small", 1, null, 1);
    add("large", 1, null, 1);
    for (int i = 0; i < 5; i++) {
      scheduler.addInstance(new InstanceRef("small/1", i, "cpu", 1), T0);
      assertThat(submit("small")).isNull();
    }
    scheduler.addInstance(new InstanceRef("large/1", 0, "cpu", 16), T0);

    List<Assignment> running = pollAll(T0);
    assertThat(running).hasSize(4);
    assertThat(submit("large")).isNull();
    for (int i = 0; i < 3; i++) {
      scheduler.onOutcome(running.get(i), ran(MS), T0 + MS);
    }
    running = new ArrayList<>(List.of(running.get(3)));
    running.addAll(pollAll(T0 + MS));
    assertThat(running).extracting(a -> a.instance().key()).doesNotContain("large/1");

    for (Assignment assignment : running) {
      scheduler.onOutcome(assignment, ran(MS), T0 + 2 * MS);
    }
    assertThat(scheduler.poll(T0 + 2 * MS).instance().key()).isEqualTo("large/1");
    assertThat(submit("small")).isNull();
    assertThat(scheduler.poll(T0 + 2 * MS)).isNull();
  }

  @Test
  void shouldNotStarveAModelThatNeedsTheWholeDevice() {
    add("small", 1, null, 1);
    add("large", 1, null, 1);
    for (int i = 0; i < 4; i++) {
      scheduler.addInstance(new InstanceRef("small/1", i, "cpu", 1), T0);
    }
    scheduler.addInstance(new InstanceRef("large/1", 0, "cpu", 4), T0);
    List<Assignment> running = new ArrayList<>();
    long nowNs = T0;
    boolean largeRan = false;
    for (int step = 0; step < 40 && !largeRan; step++) {
      submit("small");
      submit("small");
      if (step == 2) {
        submit("large");
      }
      for (Assignment assignment : pollAll(nowNs)) {
        largeRan |= assignment.instance().key().equals("large/1");
        running.add(assignment);
      }
      nowNs += MS;
      scheduler.onOutcome(running.remove(0), ran(MS), nowNs);
    }

    assertThat(largeRan).isTrue();
  }

  @Test
  void shouldLimitBatchesInFlightOnAGpuWhateverTheThreads() {
    add("m", 1, null, 1);
    for (int i = 0; i < 3; i++) {
      scheduler.addInstance(new InstanceRef("m/1", i, "gpu", 8), T0);
      assertThat(submit("m")).isNull();
    }

    assertThat(pollAll(T0)).hasSize(2);
  }

  @Test
  void shouldUseTheDeviceWithTheSmallestPartInUseFirst() {
    add("m", 1, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    scheduler.addInstance(new InstanceRef("m/1", 1, "cpu", 1), T0);
    scheduler.addInstance(new InstanceRef("m/1", 2, "gpu", 1), T0);
    for (int i = 0; i < 3; i++) {
      assertThat(submit("m")).isNull();
    }

    assertThat(pollAll(T0))
        .extracting(a -> a.instance().device())
        .containsExactly("cpu", "gpu", "cpu");
  }

  @Test
  void shouldShareTheDeviceByWeightAndTime() {
    add("heavy", 1, null, 3);
    add("slow", 1, null, 1);
    scheduler.addInstance(new InstanceRef("heavy/1", 0, "cpu", 4), T0);
    scheduler.addInstance(new InstanceRef("slow/1", 0, "cpu", 4), T0);
    long heavyNs = 0;
    long slowNs = 0;
    long nowNs = T0;
    for (int i = 0; i < 400; i++) {
      submit("heavy");
      submit("slow");
      Assignment next = scheduler.poll(nowNs);
      boolean heavy = next.instance().key().equals("heavy/1");
      long busyNs = heavy ? MS : 5 * MS;
      nowNs += busyNs;
      scheduler.onOutcome(next, ran(busyNs), nowNs);
      heavyNs += heavy ? busyNs : 0;
      slowNs += heavy ? 0 : busyNs;
    }

    assertThat((double) heavyNs / slowNs).isCloseTo(3, within(0.2));
  }

  @Test
  void shouldRunBatchesSideBySideWhenOrderingIsPreservedUntilTooManyAnswersWait() {
    DynamicBatching ordered =
        new DynamicBatching(List.of(), Duration.ZERO, true, 0, 0, QueuePolicy.DEFAULT, Map.of());
    add("m", 2, ordered, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    scheduler.addInstance(new InstanceRef("m/1", 1, "cpu", 1), T0);
    for (int i = 0; i < 10; i++) {
      submit("m");
    }

    Assignment first = scheduler.poll(T0);
    for (int i = 0; i < 3; i++) {
      Assignment next = scheduler.poll(T0);
      assertThat(next.batch().items()).isEqualTo(2);
      scheduler.onOutcome(next, ran(MS), T0 + MS);
    }
    assertThat(scheduler.poll(T0 + MS)).as("three batches wait for the first").isNull();
    assertThat(scheduler.takeTurns()).containsExactly(first.batch().turn());
    scheduler.onOutcome(first, ran(MS), T0 + MS);
    assertThat(scheduler.takeTurns()).hasSize(3);
    assertThat(scheduler.poll(T0 + MS).batch().items()).isEqualTo(2);
  }

  @Test
  void shouldWakeUpForTheDelayOnlyWhileAnInstanceIsFreeAndForTimeoutsAlways() {
    QueuePolicy timeout = new QueuePolicy(TimeoutAction.REJECT, Duration.ofMillis(9), false, 0);
    add(
        "m",
        8,
        new DynamicBatching(List.of(), Duration.ofMillis(2), false, 0, 0, timeout, Map.of()),
        1);
    assertThat(scheduler.wakeUpInNs(T0)).isEqualTo(Scheduler.NEVER);
    submit("m");
    assertThat(scheduler.wakeUpInNs(T0)).isEqualTo(9 * MS);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    assertThat(scheduler.wakeUpInNs(T0)).isEqualTo(2 * MS);

    assertThat(scheduler.poll(T0 + 2 * MS - 1)).isNull();
    assertThat(scheduler.poll(T0 + 2 * MS)).isNotNull();
    assertThat(scheduler.wakeUpInNs(T0 + 2 * MS)).isEqualTo(Scheduler.NEVER);
    assertThat(scheduler.submit(request().build(), T0 + 2 * MS)).isNull();
    assertThat(scheduler.poll(T0 + 11 * MS)).isNull();
    assertThat(rejectedCodes()).containsExactly(ErrorCode.DEADLINE_EXCEEDED);
  }

  @Test
  void shouldRefuseUnknownAndDrainingModelsAndDrainWhatIsQueued() {
    assertThat(submit("m").code()).isEqualTo(ErrorCode.NOT_FOUND);
    add("m", 1, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    submit("m");
    submit("m");
    scheduler.drainModel("m/1", "", T0);

    assertThat(submit("m").code()).isEqualTo(ErrorCode.UNAVAILABLE);
    assertThatThrownBy(() -> add("m", 1, null, 1)).isInstanceOf(IllegalStateException.class);
    for (int i = 0; i < 2; i++) {
      assertThat(scheduler.isDrained("m/1")).isFalse();
      scheduler.onOutcome(scheduler.poll(T0), ran(MS), T0);
    }
    assertThat(scheduler.isDrained("m/1")).isTrue();
    scheduler.removeModel("m/1");
    assertThat(submit("m").code()).isEqualTo(ErrorCode.NOT_FOUND);
    assertThat(scheduler.takeRejected()).isEmpty();
  }

  @Test
  void shouldRejectWhatCannotDrainAndWhatIsQueuedWhenAModelIsRemoved() {
    add("m", 1, null, 1);
    submit("m");
    scheduler.drainModel("m/1", "", T0);
    assertThat(rejectedCodes()).containsExactly(ErrorCode.UNAVAILABLE);
    scheduler.removeModel("m/1");

    add("m", 1, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    submit("m");
    Assignment running = scheduler.poll(T0);
    submit("m");
    scheduler.removeModel("m/1");
    assertThat(rejectedCodes()).containsExactly(ErrorCode.UNAVAILABLE);
    assertThat(used("cpu")).isEqualTo(1);
    scheduler.onOutcome(running, ran(MS), T0);
    assertThat(used("cpu")).isZero();
  }

  @Test
  void shouldKeepTheQueueWhenThePlanIsReplaced() {
    add("m", 1, null, 1);
    submit("m");
    submit("m");
    add("m", 8, DynamicBatching.DEFAULT, 2);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);

    assertThat(scheduler.poll(T0).batch().items()).isEqualTo(2);
  }

  @Test
  void shouldSweepAnsweredRequestsAndRejectTheRestAtShutDown() {
    add("m", 1, null, 1);
    InferenceRequest gone = request().build();
    assertThat(scheduler.submit(gone, T0)).isNull();
    submit("m");
    TestRequests.cancel(gone);
    scheduler.sweep("m");
    assertThat(scheduler.takeRejected()).extracting(Rejection::request).containsExactly(gone);

    scheduler.shutDown();
    assertThat(rejectedCodes()).containsExactly(ErrorCode.SHUTTING_DOWN);
    assertThat(submit("m").code()).isEqualTo(ErrorCode.SHUTTING_DOWN);
  }

  @Test
  void shouldSweepEveryVersionOfAModelAndNoOther() {
    List<InferenceRequest> gone = new ArrayList<>();
    for (String[] version : new String[][] {{"m", "1"}, {"m", "2"}, {"n", "1"}}) {
      ModelPlan plan = new ModelPlan(version[0], version[1], 1, Optional.empty(), 1, 9);
      scheduler.addModel(plan, T0);
      InferenceRequest request =
          InferenceRequest.of(version[0], version[1], List.of(), ReplyTo.unheard()).build();
      assertThat(scheduler.submit(request, T0)).isNull();
      TestRequests.cancel(request);
      gone.add(request);
    }

    scheduler.sweep("m");

    assertThat(scheduler.takeRejected())
        .extracting(Rejection::request)
        .containsExactlyInAnyOrder(gone.get(0), gone.get(1));
  }

  @Test
  void shouldIntegrateTheBusyTimeOfADevice() {
    add("m", 1, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 2), T0);
    SchedulerSnapshot before = scheduler.snapshot(T0);
    submit("m");
    Assignment running = scheduler.poll(T0 + MS);
    assertThat(scheduler.snapshot(T0 + 3 * MS).busyFraction("cpu", before))
        .isCloseTo(1 / 3.0, within(1e-9));
    scheduler.onOutcome(running, ran(2 * MS), T0 + 3 * MS);

    SchedulerSnapshot after = scheduler.snapshot(T0 + 5 * MS);
    assertThat(after.busyFraction("cpu", before)).isCloseTo(0.2, within(1e-9));
    assertThat(after.busyFraction("gpu", before)).isZero();
    assertThat(after.models())
        .containsExactly(new SchedulerSnapshot.Model("m/1", 0, 0, 0, 1, false, 1, 1, 0, 0, 0));
  }
}
