package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.QueuePolicy.TimeoutAction;
import dev.conveyor.scheduler.batching.Rejection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

/** The order in which answers leave, whatever becomes of batches and requests. */
final class AnswerOrderTest {

  private static final int INSTANCES = 3;

  private final List<AnswerTurn> due = new ArrayList<>();
  private final AnswerOrder order = new AnswerOrder(due);

  @Test
  void shouldHoldWhatIsEarlyAndDeliverAtOnceWhatIsFirst() {
    List<String> left = new ArrayList<>();
    Batch first = order.place(batch(1));
    final Batch second = order.place(batch(2));
    order.ended(batch(0));
    tell();
    second.turn().deliver(() -> left.add("second"));
    order.ended(second);
    tell();
    assertThat(left).isEmpty();
    first.turn().deliver(() -> left.add("first"));
    assertThat(left).containsExactly("first");
    order.ended(first);
    tell();
    assertThat(left).containsExactly("first", "second");
  }

  @Test
  void shouldLetGoOfEverythingOnceNobodyCanWait() {
    List<String> left = new ArrayList<>();
    Batch first = order.place(batch(1));
    Batch second = order.place(batch(2));
    second.turn().deliver(() -> left.add("second"));
    order.giveUp();
    tell();
    assertThat(left).containsExactly("second");
    order.ended(first);
    order.ended(second);
    tell();
    assertThat(left).containsExactly("second");
  }

  private void tell() {
    due.forEach(AnswerTurn::come);
    due.clear();
  }

  private static Batch batch(long id) {
    return new Batch(id, List.of(request().build()), 1, T0);
  }

  @Property(tries = 300)
  void shouldAnswerEachBatchOnceAndInTheOrderInWhichTheyWereCut(@ForAll long seed) {
    Run run = new Run(new Random(seed));
    for (int step = 0; step < 120; step++) {
      run.step();
    }
    run.finish();
  }

  /** A model with levels, delays and several instances under random events. */
  private static final class Run {
    private final Random random;
    private final Scheduler scheduler = new Scheduler(List.of(DeviceSpec.cpu("cpu", INSTANCES)));
    private final List<Assignment> running = new ArrayList<>();
    private final List<InferenceRequest> submitted = new ArrayList<>();
    private final Set<InferenceRequest> cutRequests = new HashSet<>();
    private final Set<InferenceRequest> rejected = new HashSet<>();
    private final List<Long> cut = new ArrayList<>();
    private final List<Long> left = new ArrayList<>();
    private int nextIndex;
    private long nowNs = T0;

    Run(Random random) {
      this.random = random;
      QueuePolicy delay = new QueuePolicy(TimeoutAction.DELAY, Duration.ofMillis(2), true, 0);
      DynamicBatching batching =
          new DynamicBatching(List.of(), Duration.ZERO, true, 2, 1, delay, Map.of());
      scheduler.addModel(new ModelPlan("m", "1", 2, Optional.of(batching), 1, 50), nowNs);
      for (int i = 0; i < INSTANCES; i++) {
        addInstance();
      }
    }

    void step() {
      switch (random.nextInt(8)) {
        case 0, 1, 2 -> submit();
        case 3 -> nowNs += random.nextInt((int) (3 * MS));
        case 4 -> cancelOne();
        case 5, 6 -> end(true);
        default -> end(random.nextInt(4) > 0);
      }
      decide();
    }

    void finish() {
      while (!running.isEmpty()) {
        end(true);
        decide();
      }
      assertThat(left).as("nothing is held for ever").isEqualTo(cut);
      assertThat(cutRequests.size() + rejected.size()).isEqualTo(submitted.size());
      assertThat(Collections.disjoint(cutRequests, rejected)).as("answered once").isTrue();
    }

    private void submit() {
      InferenceRequest next =
          request()
              .priority(1 + random.nextInt(2))
              .deadlineNs(
                  random.nextInt(4) == 0
                      ? nowNs + random.nextInt((int) (5 * MS))
                      : InferenceRequest.NO_DEADLINE)
              .arrivalNs(nowNs)
              .build();
      if (scheduler.submit(next, nowNs) == null) {
        submitted.add(next);
      }
    }

    private void cancelOne() {
      if (!submitted.isEmpty()) {
        TestRequests.cancel(submitted.get(random.nextInt(submitted.size())));
      }
    }

    /** A batch ends, or its instance is lost; either way its answers are decided. */
    private void end(boolean well) {
      if (running.isEmpty()) {
        return;
      }
      Assignment ended = running.remove(random.nextInt(running.size()));
      long id = ended.batch().id();
      if (well) {
        ended.batch().turn().deliver(() -> left.add(id));
        scheduler.onOutcome(ended, new BatchOutcome(true, 1, 0, 0, MS, 0, MS), nowNs);
      } else {
        assertThat(scheduler.onLost(ended, nowNs)).isTrue();
        ended.batch().turn().deliver(() -> left.add(id));
        addInstance();
      }
    }

    private void addInstance() {
      scheduler.addInstance(new InstanceRef("m/1", nextIndex++, "cpu", 1), nowNs);
    }

    private void decide() {
      Assignment next = scheduler.poll(nowNs);
      while (next != null) {
        running.add(next);
        cut.add(next.batch().id());
        for (InferenceRequest request : next.batch().requests()) {
          assertThat(cutRequests.add(request)).as("runs once").isTrue();
        }
        next = scheduler.poll(nowNs);
      }
      for (Rejection rejection : scheduler.takeRejected()) {
        assertThat(rejected.add(rejection.request())).as("rejected once").isTrue();
      }
      scheduler.takeTurns().forEach(AnswerTurn::come);
      assertThat(left).as("in the order of the cuts").isEqualTo(cut.subList(0, left.size()));
      assertThat(cut.size() - left.size()).as("bounded").isLessThanOrEqualTo(2 * INSTANCES);
    }
  }
}
