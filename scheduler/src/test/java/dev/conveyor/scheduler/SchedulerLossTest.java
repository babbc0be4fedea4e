package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.scheduler.isolation.ExecutionLimit;
import dev.conveyor.scheduler.isolation.Stalls;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Instances that leave, are lost, hang or come back, and what becomes of their requests. */
final class SchedulerLossTest extends SchedulerCase {

  private static final ExecutionLimit LIMIT = ExecutionLimit.DEFAULT;

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
    scheduler.giveUp("m/1", "none is left", T0 + 5 * MS, T0 + MS);

    assertThat(scheduler.takeRejected())
        .hasSize(2)
        .allMatch(left -> left.failure().code() == ErrorCode.UNAVAILABLE)
        .allMatch(left -> left.failure().retryAfterNs() == 4 * MS);
    assertThat(submit("m")).hasMessageContaining("none is left");
    assertThat(retryAfterNs(T0 + 2 * MS)).isEqualTo(3 * MS);
    assertThat(retryAfterNs(T0 + 5 * MS))
        .as("it comes up, and nobody knows how long that takes")
        .isEqualTo(InferenceException.UNKNOWN);
    assertThat(scheduler.hasInstance("m/1", 0)).isFalse();
    assertThat(used("cpu")).isZero();
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 4), T0);
    assertThat(submit("m")).isNull();
    assertThat(scheduler.poll(T0)).isNotNull();
  }

  private long retryAfterNs(long nowNs) {
    return scheduler.submit(request().build(), nowNs).retryAfterNs();
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
    assertThat(overdue(nowNs + limitNs)).isEmpty();
    assertThat(overdue(nowNs + limitNs + 1)).containsExactly(slow);
    Stalls stalls = new Stalls(nowNs);
    stalls.look(nowNs + limitNs + 1);
    assertThat(scheduler.executions().overdue(nowNs + limitNs + 1, stalls, LIMIT))
        .as("a stall of the watchdog itself does not count")
        .isEmpty();
    slow.batch().clock().start(nowNs + limitNs);
    assertThat(overdue(nowNs + limitNs + 1)).as("the next part").isEmpty();
  }

  @Test
  void shouldGiveASyntheticBatchTheTimeOfItsOwnSize() {
    add("m", 32, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    long nowNs = T0;
    for (int i = 0; i < 10; i++) {
      int items = i % 2 == 0 ? 1 : 32;
      assertThat(scheduler.submit(request().items(items).build(), nowNs)).isNull();
      scheduler.onOutcome(scheduler.poll(nowNs), ran(50 * MS * items), nowNs + 50 * MS * items);
      nowNs += 50 * MS * items;
    }
    submit("m");
    Assignment one = scheduler.poll(nowNs);
    long limitNs = LIMIT.ns(one.state.placement.profile, 1, 0);
    long limitOf32Ns = LIMIT.ns(one.state.placement.profile, 32, 0);
    assertThat(limitOf32Ns).isGreaterThan(limitNs);
    assertThat(overdue(nowNs + limitNs + 1)).containsExactly(one);

    one.batch().clock().probe(nowNs, 32);
    assertThat(overdue(nowNs + limitOf32Ns)).isEmpty();
    assertThat(overdue(nowNs + limitOf32Ns + 1)).containsExactly(one);

    one.batch().clock().start(nowNs);
    assertThat(overdue(nowNs + limitNs + 1)).as("what clients sent again").containsExactly(one);
  }

  @Test
  void shouldCutInTheEndHoweverOftenTheWatchdogIsHeldUp() {
    add("m", 1, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    long nowNs = known();
    submit("m");
    final Assignment hung = scheduler.poll(nowNs);
    Stalls stalls = new Stalls(nowNs);
    int looks = 0;
    while (scheduler.executions().overdue(nowNs, stalls, LIMIT).isEmpty() && looks < 100) {
      nowNs += 250 * MS;
      stalls.look(nowNs);
      looks++;
    }
    assertThat(looks).as("of which each lets it grow 200 ms older, up to 900").isEqualTo(5);
    assertThat(scheduler.executions().overdue(nowNs, stalls, LIMIT)).containsExactly(hung);
  }

  @Test
  void shouldGiveWhatIsCutAgainAndAgainMoreTime() {
    add("m", 1, null, 1);
    int index = 0;
    long limitNs = LIMIT.unknownNs();
    long nowNs = T0;
    for (; index < 3; index++) {
      nowNs = cutAfter(index, limitNs, nowNs);
      limitNs *= 2;
    }
    scheduler.addInstance(new InstanceRef("m/1", index, "cpu", 1), nowNs);
    nowNs = known();
    limitNs = 900 * MS;
    for (int cuts = 0; cuts < 4; cuts++) {
      scheduler.removeInstance("m/1", index++, nowNs);
      nowNs = cutAfter(index, limitNs, nowNs);
      limitNs *= cuts < 2 ? 1 : 2;
    }
  }

  /** Has an execution cut, and holds that it is not before the limit; returns when it is. */
  private long cutAfter(int index, long limitNs, long fromNs) {
    scheduler.addInstance(new InstanceRef("m/1", index, "cpu", 1), fromNs);
    submit("m");
    Assignment slow = scheduler.poll(fromNs);
    assertThat(overdue(fromNs + limitNs)).as("instance %d", index).isEmpty();
    assertThat(overdue(fromNs + limitNs + 1)).as("instance %d", index).containsExactly(slow);
    assertThat(scheduler.onCut(slow, fromNs + limitNs + 1)).isTrue();
    assertThat(scheduler.onCut(slow, fromNs + limitNs + 1)).as("once").isFalse();
    return fromNs + limitNs + 1;
  }

  /** Teaches what a batch costs, 1 ms; returns the time after. */
  private long known() {
    long nowNs = T0 + 1_000_000 * MS;
    for (int i = 0; i < 5; i++) {
      submit("m");
      scheduler.onOutcome(scheduler.poll(nowNs), ran(MS), nowNs + MS);
      nowNs += MS;
    }
    return nowNs;
  }

  @Test
  void shouldSayWhenTheFirstExecutionTakesTooLong() {
    add("m", 1, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    Stalls none = new Stalls(T0);
    assertThat(untilOverdueNs(T0, none)).as("nothing runs").isEqualTo(Scheduler.NEVER);
    submit("m");
    Assignment first = scheduler.poll(T0);
    assertThat(untilOverdueNs(T0 + MS, none)).isEqualTo(LIMIT.unknownNs() - MS);
    scheduler.onOutcome(first, ran(MS), T0 + MS);

    long nowNs = known();
    submit("m");
    Assignment slow = scheduler.poll(nowNs);
    assertThat(untilOverdueNs(nowNs + MS, none)).as("lends").isEqualTo(19 * MS);
    assertThat(untilOverdueNs(nowNs + 25 * MS, none)).as("should have lent").isZero();
    scheduler.executions().lendOverdue(nowNs + 25 * MS, none);
    assertThat(untilOverdueNs(nowNs + 25 * MS, none)).as("is cut").isEqualTo(875 * MS);
    Stalls stalls = new Stalls(nowNs);
    stalls.look(nowNs + 500 * MS);
    assertThat(untilOverdueNs(nowNs + 500 * MS, stalls)).as("300 ms not").isEqualTo(700 * MS);
    slow.batch().clock().start(nowNs + 600 * MS);
    assertThat(untilOverdueNs(nowNs + 600 * MS, stalls)).as("next part").isEqualTo(900 * MS);
  }

  private long untilOverdueNs(long nowNs, Stalls stalls) {
    return scheduler.executions().untilOverdueNs(nowNs, stalls, LIMIT);
  }

  private List<Assignment> overdue(long nowNs) {
    return scheduler.executions().overdue(nowNs, new Stalls(T0), LIMIT);
  }

  @Test
  void shouldQueueARequestThatRunsAgainThoughTheQueueHasFilledMeanwhile() {
    scheduler.addModel(new ModelPlan("m", "1", 1, Optional.empty(), 1, 1), T0);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    submit("m");
    Assignment lost = scheduler.poll(T0);
    assertThat(submit("m")).isNull();
    assertThat(submit("m")).as("there is room for one").hasMessageContaining("queue size 1");
    scheduler.onLost(lost, T0);

    assertThat(scheduler.submit(lost.batch().requests().get(0).repeat(), T0)).isNull();
  }

  @Test
  void shouldRunARequestAgainOnAnInstanceThatIsLeavingToo() {
    add("m", 1, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    scheduler.addInstance(new InstanceRef("m/1", 1, "cpu", 1), T0);
    submit("m");
    Assignment lost = scheduler.poll(T0);
    InferenceRequest request = lost.batch().requests().get(0);
    scheduler.drainModel("m/1", "", T0);
    assertThat(submit("m")).as("a new one").hasMessageContaining("unloading");
    assertThat(scheduler.onLost(lost, T0)).isTrue();

    assertThat(scheduler.submit(request.repeat(), T0)).isNull();
    Assignment again = scheduler.poll(T0);
    assertThat(again.batch().requests()).containsExactly(request);
    scheduler.onLost(again, T0);
    assertThat(scheduler.submit(request.repeat(), T0)).hasMessageContaining("unloading");
  }

  @Test
  void shouldHandWhatIsLeftOfADeploymentToItsSuccessor() {
    add("m", 1, null, 1);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    submit("m");
    submit("m");
    Assignment lost = scheduler.poll(T0);
    scheduler.addModel(new ModelPlan("m", "2", 1, Optional.empty(), 1, 100), T0);
    scheduler.addInstance(new InstanceRef("m/2", 0, "cpu", 1), T0);
    scheduler.drainModel("m/1", "2", T0);
    assertThat(scheduler.poll(T0)).as("what is queued waits for its own instance").isNull();

    scheduler.onLost(lost, T0);
    Assignment queued = scheduler.poll(T0);
    assertThat(queued.instance().key()).isEqualTo("m/2");
    InferenceRequest request = lost.batch().requests().get(0);
    assertThat(scheduler.refuseRetry(request, T0)).isNull();
    assertThat(scheduler.submit(request.repeat(), T0)).isNull();
    assertThat(scheduler.isDrained("m/1")).isTrue();
    scheduler.removeModel("m/1");
    scheduler.onOutcome(queued, ran(MS), T0 + MS);
    Assignment again = scheduler.poll(T0 + MS);
    assertThat(again.batch().requests()).containsExactly(request);
    assertThat(again.instance().key()).isEqualTo("m/2");
    assertThat(scheduler.takeRejected()).isEmpty();
  }

  @Test
  void shouldRefuseWhatTheSuccessorIsNoLongerThereFor() {
    add("m", 1, null, 1);
    submit("m");
    scheduler.addModel(new ModelPlan("m", "2", 1, Optional.empty(), 1, 100), T0);
    scheduler.drainModel("m/2", "", T0);
    scheduler.drainModel("m/1", "2", T0);

    assertThat(scheduler.takeRejected())
        .singleElement()
        .satisfies(left -> assertThat(left.failure()).hasMessageContaining("unloading"));
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
    scheduler.removeInstance("m/1", running.instance().index(), T0);
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
