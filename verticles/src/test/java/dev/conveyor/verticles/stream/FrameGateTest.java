package dev.conveyor.verticles.stream;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class FrameGateTest {

  @Test
  void shouldLetInAsManyAsMayBeUnderWayAndNoMore() {
    FrameGate<String> gate = gate(FramePolicy.BLOCK, 2, true);

    offer(gate, "a");
    assertThat(gate.mayRead()).as("one of two under way").isTrue();
    offer(gate, "b");
    assertThat(gate.mayRead()).as("two of two under way").isFalse();
    offer(gate, "c");

    assertThat(ready(gate)).containsExactly("a", "b");
    assertThat(gate.counts().inFlight()).isEqualTo(2);
    assertThat(gate.counts().waiting()).isEqualTo(1);
  }

  @Test
  void shouldBlockWithoutLosingAFrame() {
    FrameGate<String> gate = gate(FramePolicy.BLOCK, 1, true);
    offer(gate, "a", "b", "c");
    assertThat(ready(gate)).containsExactly("a");

    gate.settle(0, true);
    assertThat(ready(gate)).as("an answer not taken keeps its place").isEmpty();
    assertThat(settled(gate)).containsExactly("a");
    assertThat(ready(gate)).containsExactly("b");
    assertThat(gate.mayRead()).isFalse();
    gate.settle(1, true);
    assertThat(settled(gate)).containsExactly("b");
    gate.settle(2, true);
    assertThat(settled(gate)).containsExactly("c");

    assertThat(gate.mayRead()).isTrue();
    assertThat(dropped(gate)).isEmpty();
    assertThat(gate.counts()).isEqualTo(new FrameGate.Counts(3, 3, 0, 0, 0, 0, 0));
    assertThat(gate.isEmpty()).isTrue();
  }

  @Test
  void shouldDropWhatComesWhileAllAreUnderWay() {
    FrameGate<String> gate = gate(FramePolicy.DROP, 2, true);
    offer(gate, "a", "b", "c", "d");

    assertThat(gate.mayRead()).as("a stream that loses frames is read on").isTrue();
    assertThat(ready(gate)).containsExactly("a", "b");
    assertThat(dropped(gate)).containsExactly("c", "d");
    gate.settle(0, true);
    assertThat(settled(gate)).containsExactly("a");
    offer(gate, "e");
    assertThat(ready(gate)).containsExactly("e");
    assertThat(gate.counts()).isEqualTo(new FrameGate.Counts(5, 1, 0, 2, 0, 2, 0));
  }

  @Test
  void shouldKeepTheLatestInPlaceOfTheOneThatWaited() {
    FrameGate<String> gate = gate(FramePolicy.LATEST, 1, true);
    offer(gate, "a", "b");
    assertThat(dropped(gate)).as("one may wait").isEmpty();
    offer(gate, "c", "d");

    assertThat(dropped(gate)).containsExactly("b", "c");
    assertThat(ready(gate)).containsExactly("a");
    gate.settle(0, true);
    assertThat(settled(gate)).containsExactly("a");
    assertThat(ready(gate)).containsExactly("d");
    assertThat(gate.counts()).isEqualTo(new FrameGate.Counts(4, 1, 0, 2, 0, 1, 0));
  }

  @Test
  void shouldHoldAnAnswerBackUntilThoseBeforeItAreThere() {
    FrameGate<String> gate = gate(FramePolicy.BLOCK, 3, true);
    offer(gate, "a", "b", "c");
    gate.settle(2, true);
    gate.settle(1, false);
    assertThat(settled(gate)).isEmpty();
    assertThat(gate.mayRead()).as("answers held back are under way").isFalse();

    gate.settle(0, true);

    assertThat(settled(gate)).containsExactly("a", "b", "c");
    assertThat(gate.counts()).isEqualTo(new FrameGate.Counts(3, 2, 1, 0, 0, 0, 0));
  }

  @Test
  void shouldHandOutAnswersAsTheyCompleteWhereThatIsWanted() {
    FrameGate<String> gate = gate(FramePolicy.BLOCK, 3, false);
    offer(gate, "a", "b", "c");

    gate.settle(2, true);
    assertThat(settled(gate)).containsExactly("c");
    gate.settle(0, true);
    assertThat(settled(gate)).containsExactly("a");
  }

  @Test
  void shouldIgnoreOutcomesOfFramesThatAreNotUnderWay() {
    FrameGate<String> gate = gate(FramePolicy.DROP, 1, true);
    offer(gate, "a", "b");
    gate.settle(0, true);
    gate.settle(0, false);
    gate.settle(1, true);
    gate.settle(77, true);

    assertThat(settled(gate)).containsExactly("a");
    assertThat(gate.counts()).isEqualTo(new FrameGate.Counts(2, 1, 0, 1, 0, 0, 0));
  }

  @Test
  void shouldGiveBackWhatIsNotAnsweredWhenItIsGivenUp() {
    FrameGate<String> gate = gate(FramePolicy.LATEST, 2, true);
    offer(gate, "a", "b", "c", "d");
    gate.settle(1, true);

    assertThat(gate.abandon()).containsExactly("a", "b", "d");
    assertThat(dropped(gate)).containsExactly("c");
    assertThat(ready(gate)).isEmpty();
    assertThat(gate.counts()).isEqualTo(new FrameGate.Counts(4, 0, 0, 1, 3, 0, 0));
    assertThat(gate.isEmpty()).isTrue();
  }

  @Property
  void shouldAccountForEveryFrameAndKeepTheOrder(
      @ForAll FramePolicy policy,
      @ForAll @IntRange(min = 1, max = 5) int maxInFlight,
      @ForAll boolean inOrder,
      @ForAll long seed) {
    FrameGate<Long> gate = new FrameGate<>(new StreamTerms(policy, maxInFlight, inOrder));
    Random random = new Random(seed);
    List<Long> underWay = new ArrayList<>();
    List<Long> delivered = new ArrayList<>();
    List<Long> submitted = new ArrayList<>();
    long next = 0;
    for (int i = 0; i < 200; i++) {
      if (random.nextInt(3) > 0 && gate.mayRead()) {
        assertThat(gate.offer(next)).isEqualTo(next);
        next++;
      } else if (!underWay.isEmpty()) {
        gate.settle(underWay.remove(random.nextInt(underWay.size())), random.nextBoolean());
      }
      for (Long frame = gate.pollSettled(); frame != null; frame = gate.pollSettled()) {
        delivered.add(frame);
      }
      for (Long frame = gate.pollReady(); frame != null; frame = gate.pollReady()) {
        underWay.add(frame);
        submitted.add(frame);
      }
      while (gate.pollDropped() != null) {
        assertThat(policy).isNotEqualTo(FramePolicy.BLOCK);
      }
      FrameGate.Counts counts = gate.counts();
      assertThat(counts.inFlight()).isLessThanOrEqualTo(maxInFlight);
      assertThat(counts.waiting()).isLessThanOrEqualTo(policy == FramePolicy.LATEST ? 1 : 0);
      assertThat(counts.received())
          .isEqualTo(next)
          .isEqualTo(
              counts.answered()
                  + counts.failed()
                  + counts.dropped()
                  + counts.inFlight()
                  + counts.waiting());
    }
    assertThat(submitted).isSorted().doesNotHaveDuplicates();
    if (inOrder) {
      assertThat(delivered).isSorted();
    }
    long left = gate.abandon().size();
    FrameGate.Counts end = gate.counts();
    assertThat(end.abandoned()).isEqualTo(left);
    assertThat(end.received())
        .isEqualTo(end.answered() + end.failed() + end.dropped() + end.abandoned());
  }

  private static FrameGate<String> gate(FramePolicy policy, int maxInFlight, boolean inOrder) {
    return new FrameGate<>(new StreamTerms(policy, maxInFlight, inOrder));
  }

  private static void offer(FrameGate<String> gate, String... frames) {
    for (String frame : frames) {
      gate.offer(frame);
    }
  }

  private static List<String> ready(FrameGate<String> gate) {
    return all(gate::pollReady);
  }

  private static List<String> dropped(FrameGate<String> gate) {
    return all(gate::pollDropped);
  }

  private static List<String> settled(FrameGate<String> gate) {
    return all(gate::pollSettled);
  }

  private static List<String> all(java.util.function.Supplier<String> poll) {
    List<String> all = new ArrayList<>();
    for (String frame = poll.get(); frame != null; frame = poll.get()) {
      all.add(frame);
    }
    return all;
  }
}
