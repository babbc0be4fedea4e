package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.admission.LoadCell;
import dev.conveyor.scheduler.batching.Rejection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What the scheduler takes in, and what it sheds, under virtual time. */
final class OverloadTest {

  private static final long RUN_NS = 10 * MS;

  private final Scheduler scheduler = new Scheduler(List.of(DeviceSpec.cpu("cpu", 1)));
  private long nowNs = T0;

  @Test
  void shouldTakeADeadlineThatCanBeMetAndRefuseOneThatCannot() {
    deploy("m", 1, Admission.DEFAULT);
    learn("m");
    assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
    Assignment running = Objects.requireNonNull(scheduler.poll(nowNs));
    assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
    nowNs += 4 * MS;

    // 6 ms of the one that runs, 10 ms of the one that waits, 10 ms of its own.
    assertThat(submit(nowNs + 26 * MS)).isNull();
    InferenceException refusal = Objects.requireNonNull(submit(nowNs + 36 * MS - 1));
    assertThat(refusal.reason()).isEqualTo(RefusalReason.DEADLINE);
    assertThat(submit(nowNs + 36 * MS)).isNull();
    assertThat(scheduler.snapshot(nowNs).models().get(0).refused()).isEqualTo(1);
    finish(running);
  }

  @Test
  void shouldNotTakeTheLatenessOfAnOverloadedModelForUrgency() {
    assertThat(firstWithBusyRequests(14)).as("1.5 x 100 / 10 are servable").isEqualTo("busy");
    assertThat(firstWithBusyRequests(15)).isEqualTo("calm");
  }

  @Test
  void shouldTakeAModelForOverloadedWhoseRequestsFrontEndsKeepOut() {
    LoadCell busy = new LoadCell();
    assertThat(firstWithBusyRequests(1, busy)).isEqualTo("busy");
    busy.refused(T0 + MS - 100 * MS);
    assertThat(firstWithBusyRequests(1, busy)).as("an objective ago").isEqualTo("busy");
    busy.refused(T0 + MS - 100 * MS + 1);
    assertThat(firstWithBusyRequests(1, busy)).isEqualTo("calm");
  }

  private static String firstWithBusyRequests(int requests) {
    return firstWithBusyRequests(requests, new LoadCell());
  }

  /** Returns what runs first: one request that has time, or so many that have little. */
  private static String firstWithBusyRequests(int requests, LoadCell busy) {
    Scheduler scheduler = new Scheduler(List.of(DeviceSpec.cpu("cpu", 1)));
    int objectiveMs = 100;
    for (String name : List.of("busy", "calm")) {
      ServiceLevel level =
          new ServiceLevel(
              Duration.ofMillis(objectiveMs),
              99,
              ServiceLevel.PriorityClass.STANDARD,
              Duration.ZERO);
      ModelPlan plan =
          new ModelPlan(name, "1", 1, Optional.of(DynamicBatching.DEFAULT), 1, 0, level);
      scheduler.addModel(plan, T0);
      scheduler.addInstance(new InstanceRef(plan.key(), 0, "cpu", 1), T0);
      assertThat(scheduler.submit(request().model(name).arrivalNs(T0).build(), T0)).isNull();
      scheduler.onOutcome(Objects.requireNonNull(scheduler.poll(T0)), ran(RUN_NS), T0 + MS);
      objectiveMs *= 10;
    }
    scheduler.publishTo("busy/1", busy);
    for (int i = 0; i < requests; i++) {
      assertThat(scheduler.submit(request().model("busy").arrivalNs(T0 + MS).build(), T0 + MS))
          .isNull();
    }
    assertThat(scheduler.submit(request().model("calm").arrivalNs(T0 + MS).build(), T0 + MS))
        .isNull();
    return Objects.requireNonNull(scheduler.poll(T0 + MS)).batch().requests().get(0).model();
  }

  @Test
  void shouldSayWhenToComeAgainIfTheObjectiveCannotBeMet() {
    ModelPlan plan =
        new ModelPlan(
            "m",
            "1",
            1,
            Optional.of(DynamicBatching.DEFAULT),
            1,
            0,
            new ServiceLevel(
                Duration.ofMillis(15), 99, ServiceLevel.PriorityClass.STANDARD, Duration.ZERO));
    scheduler.addModel(plan, nowNs);
    scheduler.addInstance(new InstanceRef(plan.key(), 0, "cpu", 1), nowNs);
    learn("m");
    LoadCell cell = new LoadCell();
    scheduler.publishTo(plan.key(), cell);
    assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
    Assignment running = Objects.requireNonNull(scheduler.poll(nowNs));
    scheduler.publishLoads(nowNs);
    assertThat(cell.get().objectiveNs()).isEqualTo(15 * MS);
    // It takes 10 ms, and 10 ms are left of the one that runs: 5 ms too late.
    assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
    nowNs += 10 * MS;
    scheduler.onOutcome(running, ran(RUN_NS), nowNs);
    assertThat(scheduler.poll(nowNs)).isNull();
    List<Rejection> rejected = scheduler.takeRejected();
    assertThat(rejected).hasSize(1);
    assertThat(rejected.get(0).failure().reason()).isEqualTo(RefusalReason.DEADLINE);
    assertThat(rejected.get(0).failure().retryAfterNs()).isEqualTo(5 * MS);

    // Behind more than could be served within the objective it is refused at the door.
    assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
    assertThat(scheduler.poll(nowNs)).isNotNull();
    for (int i = 0; i < 3; i++) {
      assertThat(submit(InferenceRequest.NO_DEADLINE)).as("1.5 x 15 / 10 and more").isNull();
    }
    InferenceException refusal = Objects.requireNonNull(submit(InferenceRequest.NO_DEADLINE));
    assertThat(refusal.reason()).isEqualTo(RefusalReason.DEADLINE);
    assertThat(refusal.retryAfterNs()).isPositive();
  }

  @Test
  void shouldTakeAnythingWhileTheModelIsIdle() {
    deploy("m", 1, Admission.DEFAULT);
    learn("m");

    assertThat(submit(nowNs + MS)).as("cannot be met, by all that is known").isNull();
  }

  @Test
  void shouldCountOnItsShareWhereAnotherModelWantsTheDevice() {
    deploy("m", 1, Admission.DEFAULT);
    deploy("n", 1, Admission.DEFAULT);
    learn("m");
    learn("n");
    assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
    Assignment running = Objects.requireNonNull(scheduler.poll(nowNs));
    assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
    assertThat(submit(nowNs + 30 * MS)).isNull();
    assertThat(scheduler.submit(request().model("n").arrivalNs(nowNs).build(), nowNs)).isNull();
    scheduler.publishLoads(nowNs);

    // The 10 ms of the one that runs, two that wait at half the speed, and its own.
    assertThat(submit(nowNs + 60 * MS - 1)).isNotNull();
    assertThat(submit(nowNs + 60 * MS)).isNull();
    finish(running);
  }

  @Test
  void shouldBecomeCarefulWhenItsPredictionsWereTooGood() {
    deploy("m", 1, Admission.DEFAULT);
    learn("m");
    for (int i = 0; i < 16; i++) {
      assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
      final Assignment first = Objects.requireNonNull(scheduler.poll(nowNs));
      assertThat(submit(nowNs + 1000 * MS)).isNull();
      nowNs += RUN_NS + 3 * MS;
      scheduler.onOutcome(first, ran(RUN_NS), nowNs);
      Assignment second = Objects.requireNonNull(scheduler.poll(nowNs));
      finish(second);
    }
    assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
    Assignment running = Objects.requireNonNull(scheduler.poll(nowNs));

    assertThat(submit(nowNs + 23 * MS - 1)).as("3 ms late each time").isNotNull();
    assertThat(submit(nowNs + 23 * MS)).isNull();
    finish(running);
  }

  @Test
  void shouldNotKeepRequestsOutForOneThatWasVeryLate() {
    deploy("m", 1, Admission.DEFAULT);
    learn("m");
    oneOfEightIsLate();
    assertThat(isTakenBehindAnother()).as("200 ms are not enough to be safe").isFalse();
    // While the model is idle it takes requests, whose answers are as predicted.
    for (int i = 0; i < 24; i++) {
      assertThat(submit(nowNs + 200 * MS)).isNull();
      finish(Objects.requireNonNull(scheduler.poll(nowNs)));
    }
    assertThat(isTakenBehindAnother()).isTrue();
  }

  @Test
  void shouldForgetInTimeThatOneWasVeryLate() {
    deploy("m", 1, Admission.DEFAULT);
    learn("m");
    oneOfEightIsLate();
    nowNs += 10_000 * MS;
    assertThat(isTakenBehindAnother()).isTrue();
  }

  private void oneOfEightIsLate() {
    for (int i = 0; i < 8; i++) {
      assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
      final Assignment first = Objects.requireNonNull(scheduler.poll(nowNs));
      assertThat(submit(nowNs + 1000 * MS)).isNull();
      nowNs += i == 0 ? 300 * MS : 0;
      finish(first);
      finish(Objects.requireNonNull(scheduler.poll(nowNs)));
    }
  }

  private boolean isTakenBehindAnother() {
    assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
    Assignment running = Objects.requireNonNull(scheduler.poll(nowNs));
    boolean isTaken = submit(nowNs + 200 * MS) == null;
    finish(running);
    if (isTaken) {
      finish(Objects.requireNonNull(scheduler.poll(nowNs)));
    }
    return isTaken;
  }

  @Test
  void shouldBoundTheBytesThatWait() {
    deploy("m", 1, new Admission(100, Duration.ZERO, Duration.ofMillis(100), null));
    assertThat(scheduler.submit(request().bytes(500).build(), nowNs)).as("alone").isNull();
    Assignment running = Objects.requireNonNull(scheduler.poll(nowNs));
    assertThat(scheduler.submit(request().bytes(60).build(), nowNs)).isNull();
    assertThat(scheduler.submit(request().bytes(40).build(), nowNs)).isNull();
    InferenceException refusal = scheduler.submit(request().bytes(1).build(), nowNs);
    assertThat(Objects.requireNonNull(refusal).reason()).isEqualTo(RefusalReason.QUEUE_BYTES);
    finish(running);
    assertThat(scheduler.poll(nowNs)).isNotNull();
    assertThat(scheduler.submit(request().bytes(60).build(), nowNs)).as("60 have left").isNull();
  }

  @Test
  void shouldShedWhatWaitsTooLongOnlyOnceTheQueueStands() {
    deploy("m", 1, new Admission(0, Duration.ofMillis(25), Duration.ofMillis(100), null));
    learn("m");
    // Two come for every one that is served.
    List<Rejection> shed = new ArrayList<>();
    long overloadedNs = 0;
    long longestAfterNs = 0;
    int refused = 0;
    for (int i = 0; i < 100; i++) {
      refused += submit(InferenceRequest.NO_DEADLINE) == null ? 0 : 1;
      refused += submit(InferenceRequest.NO_DEADLINE) == null ? 0 : 1;
      Assignment next = Objects.requireNonNull(scheduler.poll(nowNs));
      long waitedNs = nowNs - next.batch().requests().get(0).arrivalNs();
      List<Rejection> now = scheduler.takeRejected();
      shed.addAll(now);
      if ((refused > 0 || !now.isEmpty()) && overloadedNs == 0) {
        overloadedNs = nowNs;
      } else if (overloadedNs != 0) {
        longestAfterNs = Math.max(longestAfterNs, waitedNs);
      }
      finish(next);
    }

    assertThat(overloadedNs - T0).as("not before an interval of waits").isGreaterThan(100 * MS);
    assertThat(shed).isNotEmpty();
    assertThat(shed)
        .allSatisfy(r -> assertThat(r.failure().reason()).isEqualTo(RefusalReason.OVERLOADED));
    assertThat(longestAfterNs).isLessThanOrEqualTo(25 * MS);
    assertThat(refused).as("those are told before they wait").isPositive();

    // The queue empties: from now on it is an ordinary queue again.
    Assignment next = scheduler.poll(nowNs);
    while (next != null) {
      finish(next);
      next = scheduler.poll(nowNs);
    }
    for (int i = 0; i < 8; i++) {
      assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
    }
  }

  @Test
  void shouldKeepTritonsSemanticsWithoutSettings() {
    deploy("m", 1, Admission.DEFAULT);
    learn("m");
    int taken = 0;
    while (submit(InferenceRequest.NO_DEADLINE) == null) {
      taken++;
    }
    assertThat(taken).as("the bound of the queue and nothing else").isEqualTo(100);
    for (int i = 0; i < 100; i++) {
      Assignment next = Objects.requireNonNull(scheduler.poll(nowNs));
      finish(next);
    }
    assertThat(scheduler.takeRejected()).isEmpty();
  }

  @Test
  void shouldPublishWhatTheFrontEndsNeed() {
    deploy("m", 4, Admission.DEFAULT);
    LoadCell cell = new LoadCell();
    scheduler.publishTo("m/1", cell);
    learn("m");
    assertThat(submit(InferenceRequest.NO_DEADLINE)).isNull();
    Assignment running = Objects.requireNonNull(scheduler.poll(nowNs));
    assertThat(scheduler.submit(request().items(3).bytes(7).build(), nowNs)).isNull();
    scheduler.publishLoads(nowNs);

    assertThat(cell.get().running()).isEqualTo(1);
    assertThat(cell.get().queuedRequests()).isEqualTo(1);
    assertThat(cell.get().queuedItems()).isEqualTo(3);
    assertThat(cell.get().queuedBytes()).isEqualTo(7);
    assertThat(cell.get().waitNs(1, nowNs)).isEqualTo(RUN_NS);
    assertThat(cell.get().full()).isFalse();
    for (int i = 1; i < 100; i++) {
      submit(InferenceRequest.NO_DEADLINE);
    }
    scheduler.publishLoads(nowNs);
    assertThat(cell.get().full()).isTrue();

    scheduler.removeModel("m/1");
    assertThat(cell.get().queuedRequests()).isZero();
    scheduler.onOutcome(running, ran(RUN_NS), nowNs);
  }

  private void deploy(String name, int max, Admission admission) {
    scheduler.addModel(
        new ModelPlan(name, "1", max, Optional.of(DynamicBatching.DEFAULT), 1, 100, admission), T0);
    scheduler.addInstance(new InstanceRef(name + "/1", 0, "cpu", 1), T0);
  }

  /** Runs a few batches of one, so that their cost is known. */
  private void learn(String model) {
    for (int i = 0; i < 10; i++) {
      assertThat(scheduler.submit(request().model(model).arrivalNs(nowNs).build(), nowNs)).isNull();
      finish(Objects.requireNonNull(scheduler.poll(nowNs)));
    }
    scheduler.publishLoads(nowNs);
  }

  private void finish(Assignment assignment) {
    long endNs = assignment.batch().dispatchNs() + RUN_NS;
    nowNs = endNs - nowNs > 0 ? endNs : nowNs;
    scheduler.onOutcome(assignment, ran(RUN_NS), nowNs);
  }

  private InferenceException submit(long deadlineNs) {
    return scheduler.submit(request().arrivalNs(nowNs).deadlineNs(deadlineNs).build(), nowNs);
  }

  private static BatchOutcome ran(long busyNs) {
    return new BatchOutcome(true, 1, 0, 0, busyNs, 0, busyNs);
  }
}
