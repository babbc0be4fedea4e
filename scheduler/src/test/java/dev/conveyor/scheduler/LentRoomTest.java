package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.isolation.Stalls;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What happens to the room of a batch that does not end, under virtual time. */
final class LentRoomTest {

  private static final long PATIENCE_NS = 20 * MS;

  private final Scheduler scheduler = new Scheduler(List.of(DeviceSpec.cpu("cpu", 1)));

  @Test
  void shouldLetOthersRunBesideABatchThatTakesMuchTooLong() {
    add("stuck");
    add("other");
    long nowNs = T0;
    for (int i = 0; i < 5; i++) {
      for (String model : List.of("stuck", "other")) {
        Assignment run = run(model, nowNs);
        nowNs += MS;
        scheduler.onOutcome(run, ran(), nowNs);
      }
    }
    Assignment stuck = run("stuck", nowNs);
    submit("other", nowNs);
    submit("stuck", nowNs);
    assertThat(scheduler.poll(nowNs)).as("no room").isNull();
    lendOverdue(nowNs + PATIENCE_NS - 1, T0);
    assertThat(used(nowNs + PATIENCE_NS)).as("is patient").isEqualTo(1);
    lendOverdue(nowNs + PATIENCE_NS, nowNs + 1);
    assertThat(used(nowNs + PATIENCE_NS)).as("what was before a stall does not count").isEqualTo(1);
    assertThat(lendOverdue(nowNs + PATIENCE_NS, T0)).containsExactly(stuck);
    assertThat(used(nowNs + PATIENCE_NS)).isZero();
    assertThat(lendOverdue(nowNs + PATIENCE_NS, T0)).as("told once").isEmpty();
    assertThat(used(nowNs + PATIENCE_NS)).as("once").isZero();

    nowNs += PATIENCE_NS;
    Assignment other = Objects.requireNonNull(scheduler.poll(nowNs));
    assertThat(other.instance().key()).isEqualTo("other/1");
    assertThat(scheduler.poll(nowNs)).as("the instance itself is still busy").isNull();
    assertThat(used(nowNs)).isEqualTo(1);
    scheduler.onOutcome(stuck, ran(), nowNs + MS);
    assertThat(used(nowNs + MS)).as("what was lent is not given back twice").isEqualTo(1);
    assertThat(scheduler.poll(nowNs + MS)).isNull();
    scheduler.onOutcome(other, ran(), nowNs + MS);
    assertThat(used(nowNs + MS)).isZero();

    Assignment again = Objects.requireNonNull(scheduler.poll(nowNs + MS));
    assertThat(again.instance().key()).isEqualTo("stuck/1");
    assertThat(used(nowNs + MS)).as("the next batch takes room again").isEqualTo(1);
    assertThat(scheduler.onLost(again, nowNs + 2 * MS)).isTrue();
    assertThat(used(nowNs + 2 * MS)).isZero();
  }

  private List<Assignment> lendOverdue(long nowNs, long stallEndNs) {
    return scheduler.executions().lendOverdue(nowNs, new Stalls(stallEndNs));
  }

  private void add(String name) {
    scheduler.addModel(new ModelPlan(name, "1", 1, Optional.empty(), 1, 0), T0);
    scheduler.addInstance(new InstanceRef(name + "/1", 0, "cpu", 1), T0);
  }

  private void submit(String model, long nowNs) {
    assertThat(scheduler.submit(request().model(model).arrivalNs(nowNs).build(), nowNs)).isNull();
  }

  private Assignment run(String model, long nowNs) {
    submit(model, nowNs);
    return Objects.requireNonNull(scheduler.poll(nowNs));
  }

  private int used(long nowNs) {
    return scheduler.snapshot(nowNs).devices().get(0).used();
  }

  private static BatchOutcome ran() {
    return new BatchOutcome(true, 1, 0, 0, MS, 0, MS);
  }
}
