package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Instances that leave, are lost, hang or come back, and what becomes of their requests. */
final class SchedulerLossTest extends SchedulerCase {

  SchedulerLossTest() {
    super(DeviceSpec.cpu("cpu", 4));
  }

  @Test
  void shouldRejectUntilAnInstanceReportsWhenTheLastOneIsLost() {
    add("m", 1, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 4), T0);
    submit("m");
    Assignment lost = scheduler.poll(T0);
    submit("m");

    assertThat(scheduler.onLost(lost, T0 + MS)).isTrue();
    assertThat(scheduler.onLost(lost, T0 + MS)).as("once").isFalse();
    assertThat(submit("m")).as("waits for another instance").isNull();
    assertThat(rejectedCodes()).isEmpty();
    scheduler.giveUp("m/1", "none is left");

    assertThat(rejectedCodes()).containsExactly(ErrorCode.UNAVAILABLE, ErrorCode.UNAVAILABLE);
    assertThat(submit("m")).hasMessageContaining("none is left");
    assertThat(scheduler.hasInstance("m/1", 0)).isFalse();
    assertThat(used("cpu")).isZero();
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 4), T0);
    assertThat(submit("m")).isNull();
    assertThat(scheduler.poll(T0)).isNotNull();
  }

  @Test
  void shouldFindExecutionsThatTakeTooLong() {
    add("m", 1, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    long nowNs = T0;
    for (int i = 0; i < 5; i++) {
      submit("m");
      scheduler.onOutcome(scheduler.poll(nowNs), ran(MS), nowNs + MS);
      nowNs += MS;
    }
    submit("m");
    final Assignment slow = scheduler.poll(nowNs);
    long limitNs = 900 * MS;
    assertThat(scheduler.overdue(nowNs + limitNs, T0)).isEmpty();
    assertThat(scheduler.overdue(nowNs + limitNs + 1, T0)).containsExactly(slow);
    assertThat(scheduler.overdue(nowNs + limitNs + 1, nowNs + MS))
        .as("a stall of the watchdog itself does not count")
        .isEmpty();
    slow.batch().clock().start(nowNs + limitNs);
    assertThat(scheduler.overdue(nowNs + limitNs + 1, T0)).as("the next part").isEmpty();
  }

  @Test
  void shouldLetARequestRunAgainOnceAndNotIfOrderMatters() {
    add("m", 1, null, 1);
    add(
        "ordered",
        4,
        new DynamicBatching(List.of(), Duration.ZERO, true, 0, 0, QueuePolicy.DEFAULT, Map.of()),
        1);
    InferenceRequest request = TestRequests.request().build();
    assertThat(scheduler.refuseRetry(request, T0)).isNull();
    request.triedIn(1);
    request.triedIn(1);
    assertThat(scheduler.refuseRetry(request.repeat(), T0)).as("tried once").isNull();
    request.triedIn(2);
    assertThat(scheduler.refuseRetry(request, T0)).isEqualTo("repeated");
    InferenceRequest ordered = TestRequests.request().model("ordered").build();
    assertThat(scheduler.refuseRetry(ordered, T0)).isEqualTo("ordered");
    InferenceRequest late = TestRequests.request().deadlineNs(T0).build();
    assertThat(scheduler.refuseRetry(late, T0)).isEqualTo("deadline");
    for (int i = 2; i < 100; i++) {
      assertThat(scheduler.refuseRetry(TestRequests.request().build(), T0)).isNull();
    }
    assertThat(scheduler.refuseRetry(TestRequests.request().build(), T0)).isEqualTo("budget");
  }

  @Test
  void shouldLetAnInstanceFinishItsBatchWhenItLeaves() {
    add("m", 1, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    scheduler.addInstance(new InstanceRef("m/1", 1, "cpu", 1), T0);
    submit("m");
    Assignment running = scheduler.poll(T0);
    scheduler.removeInstance("m/1", running.instance().index());
    assertThat(scheduler.hasInstance("m/1", running.instance().index())).isTrue();
    submit("m");
    submit("m");
    assertThat(pollAll(T0)).hasSize(1);

    scheduler.onOutcome(running, ran(MS), T0 + MS);
    assertThat(scheduler.hasInstance("m/1", running.instance().index())).isFalse();
    assertThat(scheduler.poll(T0 + MS)).isNull();
  }

  @Test
  void shouldReplaceAnInstanceThatReportsAgainAndForgetItsBatch() {
    add("m", 1, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 3), T0);
    submit("m");
    submit("m");
    Assignment before = scheduler.poll(T0);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 2), T0);

    assertThat(scheduler.poll(T0)).isNotNull();
    assertThat(used("cpu")).isEqualTo(2);
    scheduler.onLost(before, T0);
    assertThat(used("cpu")).isEqualTo(2);
    assertThat(scheduler.hasInstance("m/1", 0)).isTrue();
  }
}
