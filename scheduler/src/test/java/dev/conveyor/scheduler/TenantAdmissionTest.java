package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.scheduler.admission.AdmissionRule;
import dev.conveyor.scheduler.admission.LoadCell;
import dev.conveyor.scheduler.batching.Rejection;
import dev.conveyor.scheduler.profile.CostSample;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Whom the queue of another tenant keeps out of a model without an objective: nobody whom fairness
 * would serve. Under virtual time, 10 ms for each request, one at a time.
 */
final class TenantAdmissionTest {

  private static final long RUN_NS = 10 * MS;
  private static final long NONE = InferenceRequest.NO_DEADLINE;
  private static final int FLOOD = 1000;

  private final LoadCell cell = new LoadCell();
  private final Scheduler scheduler =
      new Scheduler(List.of(DeviceSpec.cpu("cpu", 1)), Tenants.DEFAULT);
  private long nowNs = T0;

  @Test
  void shouldPredictFromWhatGoesBeforeARequestInTheFairOrder() {
    deploy(0, Admission.DEFAULT);
    Assignment running = flood("heavy");

    // 10 ms of the one that runs, and its own.
    assertThat(atDoor("light", nowNs + 20 * MS - 1)).isEqualTo(RefusalReason.DEADLINE);
    assertThat(atDoor("light", nowNs + 20 * MS)).isNull();
    assertThat(atDoor(null, nowNs + 20 * MS)).as("its name may be in the body").isNull();
    assertThat(submit("light", nowNs + 20 * MS - 1)).isEqualTo(RefusalReason.DEADLINE);
    assertThat(submit("light", nowNs + 20 * MS)).isNull();
    assertThat(submit("light", nowNs + 20 * MS)).as("now behind its own").isNotNull();
    assertThat(runAfter(running)).isEqualTo("light");
  }

  @Test
  void shouldKeepAHeavyTenantOutBehindItsOwnQueueUntilABatchStarts() {
    deploy(0, Admission.DEFAULT);
    Assignment running = flood("heavy");
    long inASecondNs = nowNs + 1000 * MS;

    assertThat(atDoor("heavy", inASecondNs)).as("not known yet").isNull();
    assertThat(submit("heavy", inASecondNs)).isEqualTo(RefusalReason.DEADLINE);
    assertThat(atDoor("heavy", inASecondNs)).isEqualTo(RefusalReason.DEADLINE);
    assertThat(atDoor("heavy", nowNs + (FLOOD + 2) * RUN_NS)).as("that would do").isNull();
    assertThat(atDoor("light", inASecondNs)).isNull();
    runAfter(running);
    assertThat(atDoor("heavy", inASecondNs)).as("less may be before it").isNull();
  }

  @Test
  void shouldForgetWhatWasBeforeATenantWhenThatLeavesTheQueue() {
    deploy(0, Admission.DEFAULT);
    Assignment running = flood("heavy");
    assertThat(submit("heavy", nowNs + 1000 * MS)).isNotNull();
    InferenceRequest gone = request().tenant("other").arrivalNs(nowNs).build();
    assertThat(scheduler.submit(gone, nowNs)).isNull();
    assertThat(atDoor("heavy", nowNs + 1000 * MS)).isNotNull();

    TestRequests.cancel(gone);
    scheduler.sweep("m");
    assertThat(scheduler.takeRejected()).hasSize(1);
    assertThat(atDoor("heavy", nowNs + 1000 * MS)).isNull();
    runAfter(running);
  }

  @Test
  void shouldTakeTheFirstTenantToNameItselfBeforeAllThatCameWithoutAName() {
    deploy(0, Admission.DEFAULT);
    Assignment running = flood("");

    assertThat(atDoor("", nowNs + 1000 * MS)).isEqualTo(RefusalReason.DEADLINE);
    assertThat(atDoor(null, nowNs + 1000 * MS)).as("all alike so far").isNotNull();
    assertThat(atDoor("light", nowNs + 20 * MS)).isNull();
    assertThat(submit("light", nowNs + 30 * MS)).as("behind the first of them").isNull();
    assertThat(runAfter(running)).isEmpty();
    assertThat(runAfter(Objects.requireNonNull(lastStarted))).isEqualTo("light");
  }

  @Test
  void shouldLetNobodyPayForPredictionsThatOthersWentBefore() {
    deploy(0, Admission.DEFAULT);
    Assignment running = flood("other");
    for (int i = 0; i < 100; i++) {
      // Each comes second of its tenant, and those who come later go before it.
      assertThat(submit("a" + i, nowNs + 60_000 * MS)).isNull();
      assertThat(submit("a" + i, nowNs + 60_000 * MS)).isNull();
    }
    for (int i = 0; i < 200; i++) {
      runAfter(i == 0 ? running : Objects.requireNonNull(lastStarted));
    }

    assertThat(submit("light", nowNs + 30 * MS)).isNull();
  }

  @Test
  void shouldNotHoldTheQueueOfAnotherAgainstATenantWhenTheModelIsOverloaded() {
    deploy(0, new Admission(0, Duration.ofMillis(20), Duration.ofMillis(50), null));
    assertThat(submit("heavy", NONE)).isNull();
    lastStarted = Objects.requireNonNull(scheduler.poll(nowNs));
    RefusalReason refused = null;
    for (int i = 0; i < 200 && refused == null; i++) {
      submit("heavy", NONE);
      refused = submit("heavy", NONE);
      if (refused == null) {
        runAfter(Objects.requireNonNull(lastStarted));
      }
    }

    assertThat(refused).isEqualTo(RefusalReason.OVERLOADED);
    assertThat(atDoor("heavy", NONE)).isEqualTo(RefusalReason.OVERLOADED);
    assertThat(atDoor("light", NONE)).isNull();
    assertThat(submit("light", NONE)).isNull();
    assertThat(runAfter(Objects.requireNonNull(lastStarted))).isEqualTo("light");
  }

  @Test
  void shouldPredictByLevelWhereTheModelHasThem() {
    deploy(2, Admission.DEFAULT);
    flood("heavy");
    for (int i = 0; i < 5; i++) {
      assertThat(scheduler.submit(high("heavy"), nowNs)).isNull();
    }

    // 10 ms of the one that runs, 50 ms of the level above, and its own.
    assertThat(atDoor("light", nowNs + 70 * MS - 1)).isEqualTo(RefusalReason.DEADLINE);
    assertThat(atDoor("light", nowNs + 70 * MS)).isNull();
    assertThat(submit("light", nowNs + 70 * MS - 1)).isEqualTo(RefusalReason.DEADLINE);
    assertThat(submit("light", nowNs + 70 * MS)).isNull();
  }

  @Test
  void shouldMakeRoomForBytesAsItDoesForRequests() {
    deploy(0, new Admission(20, Duration.ZERO, Duration.ofMillis(100), null));
    Assignment running = flood("heavy");
    assertThat(waitingBytes()).isEqualTo(20);
    assertThat(atDoor("heavy", NONE)).isEqualTo(RefusalReason.QUEUE_BYTES);
    assertThat(atDoor("light", NONE)).isNull();

    assertThat(submitBytes("light", 3)).isNull();
    List<Rejection> displaced = scheduler.takeRejected();
    assertThat(displaced)
        .hasSize(3)
        .allMatch(gone -> gone.request().tenant().equals("heavy"))
        .allMatch(gone -> gone.failure().reason() == RefusalReason.QUEUE_FULL);
    assertThat(waitingBytes()).isEqualTo(20);
    assertThat(runAfter(running)).isEqualTo("light");
  }

  @Test
  void shouldDisplaceNothingWhereThatDoesNotMakeRoomForAllBytes() {
    deploy(0, new Admission(20, Duration.ZERO, Duration.ofMillis(100), null));
    flood("heavy");

    assertThat(submitBytes("light", 21)).isEqualTo(RefusalReason.QUEUE_BYTES);
    assertThat(scheduler.takeRejected()).isEmpty();
    assertThat(submitBytes("light", 20)).as("all others give way").isNull();
    assertThat(scheduler.takeRejected()).hasSize(20);
    assertThat(submitBytes("light", 1)).isEqualTo(RefusalReason.QUEUE_BYTES);
    assertThat(scheduler.takeRejected()).as("nobody to give way").isEmpty();
    assertThat(waitingBytes()).isEqualTo(20);
  }

  @Test
  void shouldLeaveEachTenantItsShareOfTheBytes() {
    deploy(0, new Admission(20, Duration.ZERO, Duration.ofMillis(100), null));
    flood("heavy");
    for (int i = 0; i < 30; i++) {
      submitBytes("light", 1);
      submitBytes("heavy", 1);
    }
    scheduler.takeRejected();
    scheduler.shutDown();

    assertThat(scheduler.takeRejected())
        .hasSize(20)
        .filteredOn(gone -> gone.request().tenant().equals("light"))
        .hasSizeBetween(9, 11);
  }

  private @Nullable Assignment lastStarted;

  private long waitingBytes() {
    return scheduler.snapshot(nowNs).models().get(0).queuedRequests() == 0 ? 0 : bytesAtDoor();
  }

  private long bytesAtDoor() {
    scheduler.publishLoads(nowNs);
    return cell.get().queuedBytes();
  }

  /** Ends a batch and returns whose request runs next. */
  private String runAfter(Assignment running) {
    long endNs = running.batch().dispatchNs() + RUN_NS;
    nowNs = endNs - nowNs > 0 ? endNs : nowNs;
    scheduler.onOutcome(running, new BatchOutcome(true, 1, 0, 0, RUN_NS, 0, RUN_NS), nowNs);
    lastStarted = Objects.requireNonNull(scheduler.poll(nowNs));
    return lastStarted.batch().requests().get(0).tenant();
  }

  private @Nullable RefusalReason atDoor(@Nullable String tenant, long deadlineNs) {
    scheduler.publishLoads(nowNs);
    return reason(
        AdmissionRule.check("m", cell.get().seenBy(0).seenBy(tenant), 1, 1, deadlineNs, nowNs));
  }

  private @Nullable RefusalReason submit(String tenant, long deadlineNs) {
    return reason(
        scheduler.submit(
            request().tenant(tenant).arrivalNs(nowNs).deadlineNs(deadlineNs).build(), nowNs));
  }

  private @Nullable RefusalReason submitBytes(String tenant, int bytes) {
    return reason(
        scheduler.submit(request().tenant(tenant).arrivalNs(nowNs).bytes(bytes).build(), nowNs));
  }

  private InferenceRequest high(String tenant) {
    return request().tenant(tenant).priority(1).arrivalNs(nowNs).build();
  }

  private static @Nullable RefusalReason reason(@Nullable InferenceException refusal) {
    return refusal == null ? null : refusal.reason();
  }

  /** One request of a tenant runs, and as many as are taken wait. */
  private Assignment flood(String tenant) {
    assertThat(submit(tenant, NONE)).isNull();
    Assignment running = Objects.requireNonNull(scheduler.poll(nowNs));
    IntStream.range(0, FLOOD).forEach(i -> submit(tenant, NONE));
    return running;
  }

  private void deploy(int levels, Admission admission) {
    DynamicBatching batching =
        new DynamicBatching(
            List.of(), Duration.ZERO, false, levels, levels, QueuePolicy.DEFAULT, Map.of());
    scheduler.addModel(new ModelPlan("m", "1", 1, Optional.of(batching), 1, 0, admission), nowNs);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), nowNs);
    CostSample known = new CostSample(1, RUN_NS);
    scheduler.seedProfile(
        new SchedulerCommand.SeedProfile(
            "m/1", "cpu", ModelProfile.Seed.WARM_UP, List.of(known, known)));
    scheduler.publishTo("m/1", cell);
  }
}
