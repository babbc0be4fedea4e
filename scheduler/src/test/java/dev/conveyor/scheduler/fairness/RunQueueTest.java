package dev.conveyor.scheduler.fairness;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.fairness.RunQueue.Entry;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class RunQueueTest {

  private static final double NO_DEADLINE = Double.POSITIVE_INFINITY;

  private final RunQueue<String> queue = new RunQueue<>(3);

  @Test
  void shouldServeTheHighestClassFirstWhateverTheDeadlines() {
    Entry<String> low = queue.add("low", 1);
    Entry<String> high = queue.add("high", 1);
    queue.put(low, 1, 1, 5);
    assertThat(queue.choose(1)).isSameAs(low);
    queue.put(high, 0, 1, NO_DEADLINE);

    assertThat(queue.choose(1)).isSameAs(high);
    queue.put(low, 0, 1, 5);
    assertThat(queue.choose(1)).as("aged into the class").isSameAs(low);
    queue.remove(low);
    queue.remove(high);
    assertThat(queue.choose(1)).isNull();
    assertThat(queue.isEmpty()).isTrue();
  }

  @Test
  void shouldChooseByDeadlineInsideTheWindowAndByTagOutside() {
    Entry<String> urgent = queue.add("urgent", 1);
    Entry<String> calm = queue.add("calm", 1);
    List<String> served = new ArrayList<>();
    for (int i = 0; i < 9; i++) {
      queue.put(urgent, 0, 1, 1);
      queue.put(calm, 0, 1, NO_DEADLINE);
      Entry<String> next = queue.choose(1);
      served.add(next.value());
      serve(next);
    }

    assertThat(served)
        .as("urgent may start another until it is more than four batches ahead")
        .containsExactly(
            "urgent", "urgent", "urgent", "urgent", "urgent", "calm", "urgent", "calm", "urgent");
  }

  @Test
  void shouldLetSmallBatchesPassALargeOneOnlyForAWindow() {
    Entry<String> wide = queue.add("wide", 1);
    Entry<String> narrow = queue.add("narrow", 1);
    queue.put(wide, 0, 4, NO_DEADLINE);
    queue.put(narrow, 0, 1, NO_DEADLINE);
    int passed = 0;
    while (queue.choose(1) == narrow) {
      serve(narrow);
      passed++;
    }

    assertThat(passed).isEqualTo(5);
    assertThat(queue.choose(1)).isNull();
    assertThat(queue.choose(4)).isSameAs(wide);
  }

  @Test
  void shouldPassOverWhatDoesNotSuitOnlyForAWindow() {
    Entry<String> unwanted = queue.add("unwanted", 1);
    Entry<String> other = queue.add("other", 1);
    queue.put(unwanted, 0, 1, 1);
    queue.put(other, 0, 1, NO_DEADLINE);
    int passed = 0;
    while (queue.choose(1, null, value -> value.equals("other")) == other) {
      serve(other);
      passed++;
    }

    assertThat(passed).isEqualTo(5);
    assertThat(queue.choose(1, other, value -> value.equals("other"))).isNull();
    assertThat(queue.choose(1)).as("first in its turn as before").isSameAs(unwanted);
  }

  @Test
  void shouldChooseTheSmallestTagWithoutDeadlines() {
    Entry<String> heavy = queue.add("heavy", 3);
    Entry<String> light = queue.add("light", 1);
    queue.put(heavy, 0, 1, NO_DEADLINE);
    queue.put(light, 0, 1, NO_DEADLINE);
    int heavyRuns = 0;
    for (int i = 0; i < 400; i++) {
      Entry<String> next = queue.choose(1);
      heavyRuns += next == heavy ? 1 : 0;
      serve(next);
    }

    assertThat(heavyRuns).isBetween(299, 301);
  }

  @Test
  void shouldGoOnWithWhatTheDeviceIsWarmForBesideTheOtherWithinTheWindow() {
    Entry<String> one = queue.add("one", 1);
    Entry<String> other = queue.add("other", 1);
    queue.put(one, 0, 1, NO_DEADLINE);
    queue.put(other, 0, 1, NO_DEADLINE);
    queue.dispatch(other, 100);
    List<String> served = new ArrayList<>();
    Entry<String> warm = one;
    for (int i = 0; i < 7; i++) {
      warm = queue.choose(1, warm, any -> true);
      served.add(warm.value());
      serve(warm);
    }

    assertThat(served)
        .as("until it is more than four batches ahead")
        .containsExactly("one", "one", "one", "one", "one", "one", "other");
  }

  @Test
  void shouldNotLetOneWaitThatDoesNotRun() {
    Entry<String> busy = queue.add("busy", 1);
    Entry<String> rare = queue.add("rare", 1);
    queue.put(busy, 0, 1, NO_DEADLINE);
    for (int i = 0; i < 20; i++) {
      serve(busy);
    }
    queue.activate(rare);
    queue.put(rare, 0, 1, NO_DEADLINE);

    assertThat(queue.choose(1, busy, any -> true)).isSameAs(rare);
    queue.dispatch(rare, 100);
    assertThat(queue.choose(1, busy, any -> true)).as("it runs now").isSameAs(busy);
    queue.complete(rare, 100, 1);
    assertThat(queue.choose(1, busy, any -> true)).as("and again it does not").isSameAs(rare);
  }

  @Test
  void shouldPreferADeadlineAndAHigherClassToWhatTheDeviceIsWarmFor() {
    Entry<String> warm = queue.add("warm", 1);
    Entry<String> urgent = queue.add("urgent", 1);
    queue.put(warm, 0, 1, NO_DEADLINE);
    queue.put(urgent, 0, 1, NO_DEADLINE);
    serve(warm);
    queue.dispatch(warm, 1);
    queue.dispatch(urgent, 1);
    assertThat(queue.choose(1, warm, any -> true)).isSameAs(warm);

    queue.put(urgent, 0, 1, 1e12);
    assertThat(queue.choose(1, warm, any -> true)).isSameAs(urgent);
    queue.put(urgent, 0, 1, NO_DEADLINE);
    queue.put(warm, 1, 1, NO_DEADLINE);
    assertThat(queue.choose(1, warm, any -> true)).isSameAs(urgent);
  }

  @Test
  void shouldNotChooseWhatTheDeviceIsWarmForIfItIsNotReadyOrNeedsMoreRoom() {
    Entry<String> warm = queue.add("warm", 1);
    Entry<String> other = queue.add("other", 1);
    queue.put(warm, 0, 2, NO_DEADLINE);
    queue.put(other, 0, 1, NO_DEADLINE);
    serve(warm);
    queue.dispatch(warm, 1);
    queue.dispatch(other, 1);
    assertThat(queue.choose(2, warm, any -> true)).isSameAs(warm);
    assertThat(queue.choose(1, warm, any -> true)).isSameAs(other);

    queue.remove(warm);
    assertThat(queue.choose(2, warm, any -> true)).isSameAs(other);
  }

  private void serve(Entry<String> entry) {
    queue.dispatch(entry, 100);
    queue.complete(entry, 100, 100);
  }
}
