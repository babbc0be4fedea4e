package dev.conveyor.scheduler.admission;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

final class StandingQueueGuardTest {

  private static final long TARGET_NS = 5 * MS;
  private static final long INTERVAL_NS = 100 * MS;

  private final StandingQueueGuard guard = new StandingQueueGuard(TARGET_NS, INTERVAL_NS);

  @Test
  void shouldCallItOverloadOnceTheShortestWaitWasAboveTheTargetForAnInterval() {
    guard.onBatch(TARGET_NS + 1, 1, T0);
    guard.onBatch(TARGET_NS + 1, 1, T0 + INTERVAL_NS - 1);
    assertThat(guard.isOverloaded()).isFalse();

    guard.onBatch(TARGET_NS + 1, 1, T0 + INTERVAL_NS);
    assertThat(guard.isOverloaded()).isTrue();
  }

  @Test
  void shouldStartAgainWhenOneWaitIsAtTheTarget() {
    guard.onBatch(TARGET_NS + 1, 1, T0);
    guard.onBatch(TARGET_NS, 1, T0 + 50 * MS);
    guard.onBatch(TARGET_NS + 1, 1, T0 + 60 * MS);
    guard.onBatch(TARGET_NS + 1, 1, T0 + 60 * MS + INTERVAL_NS - 1);
    assertThat(guard.isOverloaded()).isFalse();

    guard.onBatch(TARGET_NS + 1, 1, T0 + 60 * MS + INTERVAL_NS);
    assertThat(guard.isOverloaded()).isTrue();
  }

  @Test
  void shouldLastUntilABatchLeavesNothingBehind() {
    overload();
    guard.onBatch(0, 1, T0 + 2 * INTERVAL_NS);
    assertThat(guard.isOverloaded()).as("the waits are short because it sheds").isTrue();

    guard.onBatch(TARGET_NS + 1, 0, T0 + 3 * INTERVAL_NS);
    assertThat(guard.isOverloaded()).isFalse();
    guard.onBatch(TARGET_NS + 1, 1, T0 + 4 * INTERVAL_NS);
    assertThat(guard.isOverloaded()).as("the interval starts anew").isFalse();
  }

  @Test
  void shouldEndWhenTheQueueEmptiesInAnotherWay() {
    overload();
    guard.onEmpty();
    assertThat(guard.isOverloaded()).isFalse();
  }

  private void overload() {
    guard.onBatch(TARGET_NS + 1, 1, T0);
    guard.onBatch(TARGET_NS + 1, 1, T0 + INTERVAL_NS);
    assertThat(guard.isOverloaded()).isTrue();
  }

  record Event(long gapNs, long waitNs, int left) {}

  /** Against the definition: looks back over the whole history. */
  @Property(tries = 300)
  void shouldAgreeWithTheDefinition(@ForAll("histories") List<Event> history) {
    StandingQueueGuard fresh = new StandingQueueGuard(TARGET_NS, INTERVAL_NS);
    boolean expected = false;
    long nowNs = T0;
    long lastFineNs = T0;
    boolean anyAbove = false;
    for (Event event : history) {
      nowNs += event.gapNs;
      fresh.onBatch(event.waitNs, event.left, nowNs);
      boolean fine = event.waitNs <= TARGET_NS || event.left == 0;
      if (fine) {
        anyAbove = false;
      } else if (!anyAbove) {
        anyAbove = true;
        lastFineNs = nowNs;
      }
      expected = event.left > 0 && (expected || (anyAbove && nowNs - lastFineNs >= INTERVAL_NS));
      assertThat(fresh.isOverloaded()).isEqualTo(expected);
    }
  }

  @Provide
  Arbitrary<List<Event>> histories() {
    return Combinators.combine(
            Arbitraries.longs().between(0, 60 * MS),
            Arbitraries.longs().between(0, 2 * TARGET_NS),
            Arbitraries.integers().between(0, 9))
        .as(Event::new)
        .list()
        .ofMaxSize(60);
  }
}
