package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.Hedging;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.HedgeDecision.Outcome;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** When a batch runs a second time, and what becomes of both, under virtual time. */
final class HedgesTest {

  /** What a batch takes here, always. */
  private static final long BUSY_NS = 5 * MS;

  private static final Hedging HALF = new Hedging(95, 0.5);

  private final Scheduler scheduler = new Scheduler(List.of(DeviceSpec.cpu("cpu", 2)));
  private long nowNs = T0;

  @Test
  void shouldRunABatchAgainAfterWhatMostTakeAndNotBefore() {
    add("m", HALF, 2);
    learn("m");
    Assignment slow = run("m");
    assertThat(scheduler.poll(nowNs + BUSY_NS - 1)).isNull();
    assertThat(scheduler.wakeUpInNs(nowNs + BUSY_NS - 1)).isEqualTo(1);
    Assignment second = Objects.requireNonNull(scheduler.poll(nowNs + BUSY_NS));

    assertThat(second.instance()).isNotEqualTo(slow.instance());
    assertThat(second.batch().requests().get(0).replyTo())
        .isSameAs(slow.batch().requests().get(0).replyTo());
    assertThat(outcomes()).containsExactly(Outcome.HEDGED);
    assertThat(scheduler.poll(nowNs + 100 * MS)).as("once").isNull();
    assertThat(scheduler.wakeUpInNs(nowNs + 100 * MS)).isEqualTo(Scheduler.NEVER);
    assertThat(used()).isEqualTo(2);
    scheduler.onOutcome(second, ran(), nowNs + 2 * BUSY_NS);
    assertThat(outcomes()).containsExactly(Outcome.WON);
    scheduler.onOutcome(slow, ran(), nowNs + 3 * BUSY_NS);
    assertThat(outcomes()).isEmpty();
    assertThat(used()).isZero();
    assertThat(scheduler.isDrained("m/1")).isTrue();
  }

  @Test
  void shouldNotClaimToHaveWonWhenTheFirstExecutionIsFirst() {
    Both both = hedged();
    scheduler.onOutcome(both.slow(), ran(), nowNs + 2 * BUSY_NS);
    scheduler.onOutcome(both.second(), ran(), nowNs + 2 * BUSY_NS);
    assertThat(outcomes()).containsExactly(Outcome.HEDGED);
  }

  @Test
  void shouldNotRunAgainWhatIsNotAllowedOrNotKnownOrOrdered() {
    add("off", Hedging.OFF, 2);
    learn("off");
    Assignment off = run("off");
    assertThat(scheduler.poll(nowNs + 100 * MS)).isNull();
    scheduler.onOutcome(off, ran(), nowNs);
    add("new", HALF, 2);
    Assignment unknown = run("new");
    assertThat(scheduler.poll(nowNs + 100 * MS)).isNull();
    scheduler.onOutcome(unknown, ran(), nowNs);
    DynamicBatching ordered =
        new DynamicBatching(List.of(), Duration.ZERO, true, 0, 0, QueuePolicy.DEFAULT, Map.of());
    add("ordered", HALF, 2, Optional.of(ordered));
    learn("ordered");
    run("ordered");
    assertThat(scheduler.poll(nowNs + 100 * MS)).isNull();
    assertThat(outcomes()).isEmpty();
  }

  @Test
  void shouldNotRunAgainWithoutASecondInstance() {
    add("m", HALF, 1);
    learn("m");
    run("m");
    assertThat(scheduler.poll(nowNs + 100 * MS)).isNull();
    assertThat(scheduler.wakeUpInNs(nowNs + 100 * MS))
        .as("room is what it waits for, not time")
        .isEqualTo(Scheduler.NEVER);
    scheduler.addInstance(new InstanceRef("m/1", 1, "cpu", 1), nowNs);
    assertThat(scheduler.poll(nowNs + 100 * MS)).isNotNull();
  }

  @Test
  void shouldLeaveTheRoomToWhatIsQueued() {
    add("m", HALF, 2);
    add("other", Hedging.OFF, 2);
    learn("m");
    learn("other");
    Assignment slow = run("m");
    Assignment first = run("other");
    submit("other");
    assertThat(scheduler.poll(nowNs + 6 * MS)).as("no room").isNull();
    scheduler.onOutcome(first, ran(), nowNs + 6 * MS);
    Assignment next = Objects.requireNonNull(scheduler.poll(nowNs + 6 * MS));
    assertThat(next.instance().key()).isEqualTo("other/1");
    assertThat(scheduler.poll(nowNs + 6 * MS)).isNull();
    scheduler.onOutcome(next, ran(), nowNs + 7 * MS);
    Assignment second = Objects.requireNonNull(scheduler.poll(nowNs + 7 * MS));
    assertThat(second.instance().key()).isEqualTo("m/1");
    assertThat(slow.batch().id()).isNotEqualTo(second.batch().id());
  }

  @Test
  void shouldRunAgainNoMoreThanTheBudgetAllows() {
    add("m", new Hedging(95, 0.01), 2);
    learn("m");
    Assignment slow = run("m");
    assertThat(scheduler.poll(nowNs + BUSY_NS)).isNull();
    assertThat(outcomes()).containsExactly(Outcome.REFUSED);
    assertThat(scheduler.poll(nowNs + 2 * BUSY_NS)).isNull();
    assertThat(outcomes()).as("said once").isEmpty();
    scheduler.onOutcome(slow, ran(), nowNs + 3 * BUSY_NS);
  }

  @Test
  void shouldRetryOnlyWhenBothExecutionsAreLostAndCountBoth() {
    Both both = hedged();
    InferenceRequest one = both.one();
    InferenceRequest other = both.other();
    one.triedIn(both.slow().batch().id());
    other.triedIn(both.second().batch().id());

    assertThat(scheduler.refuseRetry(other, nowNs)).isNull();
    assertThat(other.runsElsewhere()).isTrue();
    assertThat(one.runsElsewhere()).isFalse();
    assertThat(scheduler.refuseRetry(one, nowNs))
        .as("two instances were lost with it")
        .isEqualTo("repeated");
  }

  @Test
  void shouldAnswerARequestThatLosesAThirdInstance() {
    Both both = hedged();
    InferenceRequest one = both.one();
    InferenceRequest other = both.other();
    other.triedIn(both.second().batch().id());

    assertThat(other.runsElsewhere()).isTrue();
    assertThat(one.runsElsewhere()).isFalse();
    assertThat(scheduler.refuseRetry(one, nowNs)).as("not begun here").isNull();
    InferenceRequest again = one.repeat();
    again.triedIn(99);
    assertThat(again.runsElsewhere()).as("nothing else runs it").isFalse();
    assertThat(scheduler.refuseRetry(again, nowNs)).isEqualTo("repeated");
  }

  @Test
  void shouldNotCountAnInstanceThatWasLostBeforeItBegan() {
    Both both = hedged();
    InferenceRequest one = both.one();
    one.triedIn(both.slow().batch().id());

    assertThat(both.other().runsElsewhere()).isTrue();
    assertThat(one.runsElsewhere()).isFalse();
    assertThat(scheduler.refuseRetry(one, nowNs)).isNull();
  }

  @Test
  void shouldNotRunTwiceWhatCameBackFromALostInstance() {
    add("m", HALF, 2);
    learn("m");
    InferenceRequest again = request().model("m").arrivalNs(nowNs).build().repeat();
    assertThat(scheduler.submit(again, nowNs)).isNull();
    assertThat(scheduler.poll(nowNs)).isNotNull();
    assertThat(scheduler.poll(nowNs + 100 * MS)).isNull();
    assertThat(outcomes()).isEmpty();
  }

  @Test
  void shouldLeaveTheRoomToRequestsThatGatherForABatch() {
    add("m", HALF, 2);
    DynamicBatching patient =
        new DynamicBatching(
            List.of(), Duration.ofMillis(50), false, 0, 0, QueuePolicy.DEFAULT, Map.of());
    add("patient", Hedging.OFF, 1, Optional.of(patient), 4);
    learn("m");
    run("m");
    submit("patient");
    assertThat(scheduler.poll(nowNs + 6 * MS)).isNull();
    Assignment gathered = Objects.requireNonNull(scheduler.poll(nowNs + 50 * MS));
    assertThat(gathered.instance().key()).isEqualTo("patient/1");
  }

  private void add(String name, Hedging hedging, int instances) {
    add(name, hedging, instances, Optional.empty());
  }

  private void add(
      String name, Hedging hedging, int instances, Optional<DynamicBatching> batching) {
    add(name, hedging, instances, batching, 1);
  }

  private void add(
      String name,
      Hedging hedging,
      int instances,
      Optional<DynamicBatching> batching,
      int maxBatchSize) {
    scheduler.addModel(
        new ModelPlan(
            name,
            "1",
            maxBatchSize,
            batching,
            1,
            0,
            Admission.DEFAULT,
            ServiceLevel.DEFAULT,
            hedging),
        T0);
    for (int i = 0; i < instances; i++) {
      scheduler.addInstance(new InstanceRef(name + "/1", i, "cpu", 1), T0);
    }
  }

  private void learn(String model) {
    for (int i = 0; i < 10; i++) {
      Assignment run = run(model);
      nowNs += BUSY_NS;
      scheduler.onOutcome(run, ran(), nowNs);
    }
  }

  private void submit(String model) {
    assertThat(scheduler.submit(request().model(model).arrivalNs(nowNs).build(), nowNs)).isNull();
  }

  private Assignment run(String model) {
    submit(model);
    return Objects.requireNonNull(scheduler.poll(nowNs));
  }

  /** The executions of one request, whose first is slow. */
  private record Both(Assignment slow, Assignment second) {

    InferenceRequest one() {
      return slow.batch().requests().get(0);
    }

    InferenceRequest other() {
      return second.batch().requests().get(0);
    }
  }

  private Both hedged() {
    add("m", HALF, 2);
    learn("m");
    Assignment slow = run("m");
    return new Both(slow, Objects.requireNonNull(scheduler.poll(nowNs + BUSY_NS)));
  }

  private List<Outcome> outcomes() {
    return scheduler.takeHedgeDecisions().stream().map(HedgeDecision::outcome).toList();
  }

  private int used() {
    return scheduler.snapshot(nowNs).devices().get(0).used();
  }

  private static BatchOutcome ran() {
    return new BatchOutcome(true, 1, 0, 0, BUSY_NS, 0, BUSY_NS);
  }
}
