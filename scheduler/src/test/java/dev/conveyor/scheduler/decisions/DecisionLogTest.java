package dev.conveyor.scheduler.decisions;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.models.config.ServiceLevel.PriorityClass;
import dev.conveyor.scheduler.Assignment;
import dev.conveyor.scheduler.BatchOutcome;
import dev.conveyor.scheduler.DeviceSpec;
import dev.conveyor.scheduler.InstanceRef;
import dev.conveyor.scheduler.ModelPlan;
import dev.conveyor.scheduler.Scheduler;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class DecisionLogTest {

  private static final DecisionQuery ALL = allOf("", 100);
  private final Scheduler scheduler = new Scheduler(List.of(DeviceSpec.gpu("gpu", 1)));

  @Test
  void shouldSayWhyABatchIsNotLarger() {
    ServiceLevel level =
        new ServiceLevel(Duration.ofMillis(50), 99, PriorityClass.STANDARD, Duration.ZERO);
    add("slo", 32, DynamicBatching.DEFAULT, level);
    // It learns that a batch takes 10 ms for each item.
    long nowNs = T0;
    for (int i = 0; i < 6; i++) {
      submit("slo", nowNs);
      nowNs = run(nowNs, 10 * MS);
    }
    for (int i = 0; i < 4; i++) {
      submit("slo", nowNs);
      submit("slo", nowNs);
      nowNs = run(nowNs, 20 * MS);
    }
    for (int i = 0; i < 3; i++) {
      submit("slo", nowNs);
    }
    nowNs += 25 * MS;

    Assignment assignment = scheduler.poll(nowNs);

    assertThat(assignment.batch().items()).isEqualTo(2);
    Decision last = scheduler.decisions().find(ALL, nowNs).last().get(0);
    assertThat(last.kind()).isEqualTo(Decision.Kind.RUN);
    assertThat(last.items()).isEqualTo(2);
    assertThat(last.predictedNs()).isEqualTo(20 * MS);
    assertThat(last.reason()).matches("batch of 2: 3rd would miss its deadline by [0-9.]+ [mu]s");
    assertThat(last.device()).isEqualTo("gpu");
    assertThat(last.ageNs()).isZero();

    scheduler.poll(nowNs + 30 * MS);
    Decision dropped = scheduler.decisions().find(ALL, nowNs + 31 * MS).last().get(0);
    assertThat(dropped.kind()).isEqualTo(Decision.Kind.DROP);
    assertThat(dropped.reason()).startsWith("dropped 1: could not end before its deadline");
    assertThat(dropped.ageNs()).isEqualTo(MS);
  }

  @Test
  void shouldSayWhatIsWaitedForAndHowLong() {
    add(
        "triton",
        8,
        new DynamicBatching(
            List.of(4), Duration.ofMillis(3), false, 0, 0, QueuePolicy.DEFAULT, Map.of()),
        ServiceLevel.DEFAULT);
    for (int i = 0; i < 2; i++) {
      submit("triton", T0);
      assertThat(scheduler.poll(T0 + i * MS)).isNull();
    }

    Decisions decisions = scheduler.decisions().find(ALL, T0 + MS);
    assertThat(decisions.last())
        .extracting(Decision::reason)
        .containsExactly("waits: 2 queued, for more, 2.0 ms at most");
    assertThat(scheduler.poll(T0 + 3 * MS)).isNotNull();
    assertThat(scheduler.decisions().find(ALL, T0).last().get(0).reason())
        .isEqualTo("batch of 2: all that waited");
  }

  @Test
  void shouldKeepRareDecisionsWhileBatchesPushEachOtherOut() {
    DecisionLog log = new DecisionLog(2);
    log.notes(Decision.Kind.SCALE, "a", "1", "", "2 instances instead of 1: why", T0);
    for (int i = 0; i < 5; i++) {
      log.dropped(plan("a"), 1, MS, T0);
      log.dropped(plan("b"), 1, MS, T0);
    }
    log.notes(Decision.Kind.LIMIT, "", "", "cpu", "1 instead of 2: why", T0);

    Decisions all = log.find(ALL, T0 + MS);
    assertThat(all.taken()).isEqualTo(12);
    assertThat(all.last()).extracting(Decision::sequence).containsExactly(11L, 10L, 9L, 0L);
    assertThat(log.find(allOf("", 2), T0).last())
        .extracting(Decision::sequence)
        .containsExactly(11L, 10L);
    assertThat(
            log.find(new DecisionQuery("a", Optional.of(Decision.Kind.SCALE), 9), T0 + MS).last())
        .singleElement()
        .satisfies(
            scale -> {
              assertThat(scale.reason()).isEqualTo("2 instances instead of 1: why");
              assertThat(scale.ageNs()).isEqualTo(MS);
              assertThat(scale.version()).isEqualTo("1");
            });
    for (int i = 0; i < 1000; i++) {
      log.notes(Decision.Kind.EVICT, "c", "", "", "room", T0);
    }
    assertThat(log.find(allOf("c", 4096), T0).last()).hasSize(256);
  }

  @Test
  void shouldKeepTheLastAndFindThoseOfAModel() {
    DecisionLog log = new DecisionLog(4);
    for (int i = 0; i < 3; i++) {
      log.dropped(plan("a"), i + 1, MS, T0);
      log.dropped(plan("b"), 10, MS, T0);
    }

    Decisions all = log.find(ALL, T0);
    assertThat(all.taken()).isEqualTo(6);
    assertThat(all.last()).extracting(Decision::sequence).containsExactly(5L, 4L, 3L, 2L);
    assertThat(log.find(allOf("a", 1), T0).last())
        .singleElement()
        .satisfies(d -> assertThat(d.reason()).startsWith("dropped 3: could not end before their"));
    assertThat(log.find(allOf("a", 9), T0).last()).hasSize(2);
    log.dropped(plan("b"), 5, 2 * MS, T0);
    assertThat(log.find(ALL, T0).last().get(0).reason())
        .as("the same once more")
        .isEqualTo("dropped 15: could not end before their deadlines, the first by 1.0 ms");
    assertThat(log.find(ALL, T0).taken()).isEqualTo(6);
  }

  @Test
  void shouldSayWhatTimedOutInTheQueueOfAModelWithoutAnObjective() {
    QueuePolicy policy =
        new QueuePolicy(QueuePolicy.TimeoutAction.REJECT, Duration.ofMillis(5), false, 0);
    add(
        "triton",
        1,
        new DynamicBatching(List.of(), Duration.ZERO, false, 0, 0, policy, Map.of()),
        ServiceLevel.DEFAULT);
    submit("triton", T0);
    assertThat(scheduler.poll(T0)).isNotNull();
    submit("triton", T0);
    submit("triton", T0);

    assertThat(scheduler.poll(T0 + 5 * MS - 1)).isNull();
    assertThat(drops(T0 + 5 * MS)).isEmpty();
    assertThat(scheduler.poll(T0 + 5 * MS)).isNull();
    assertThat(drops(T0 + 5 * MS))
        .singleElement()
        .satisfies(
            drop -> {
              assertThat(drop.requests()).isEqualTo(2);
              assertThat(drop.reason()).isEqualTo("dropped 2: timed out in the queue");
            });
  }

  private List<Decision> drops(long nowNs) {
    return scheduler
        .decisions()
        .find(new DecisionQuery("", Optional.of(Decision.Kind.DROP), 9), nowNs)
        .last();
  }

  private static ModelPlan plan(String name) {
    return new ModelPlan(name, "1", 8, Optional.empty(), 1, 100);
  }

  private void add(String name, int max, DynamicBatching batching, ServiceLevel level) {
    scheduler.addModel(new ModelPlan(name, "1", max, Optional.of(batching), 1, 100, level), T0);
    scheduler.addInstance(new InstanceRef(name + "/1", 0, "gpu", 1), T0);
  }

  private void submit(String model, long nowNs) {
    assertThat(scheduler.submit(request().model(model).arrivalNs(nowNs).build(), nowNs)).isNull();
  }

  private long run(long nowNs, long busyNs) {
    Assignment assignment = scheduler.poll(nowNs);
    scheduler.onOutcome(
        assignment,
        new BatchOutcome(true, assignment.batch().items(), 0, 0, busyNs, 0, busyNs),
        nowNs + busyNs);
    return nowNs + busyNs;
  }

  private static DecisionQuery allOf(String model, int limit) {
    return new DecisionQuery(model, Optional.empty(), limit);
  }
}
