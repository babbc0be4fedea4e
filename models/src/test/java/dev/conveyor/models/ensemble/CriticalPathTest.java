package dev.conveyor.models.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.StepFlow;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** How long requests take at least; step n takes 10 to the power of n. */
final class CriticalPathTest {

  private static final int IN = 0;
  private static final int SLOTS = 8;

  /** The steps that were asked for, with what they wait for. */
  private final List<String> asked = new ArrayList<>();

  private final List<Integer> askedAtOnce = new ArrayList<>();

  @Test
  void shouldAddWhatFollowsAndTakeTheLongestOfWhatRunsSideBySide() {
    Node first = step(0, 1, IN);
    Node second = step(1, 2, 1);
    Node beside = step(2, 3, IN);
    Node last = step(3, 4, 2, 3);

    assertThat(doneNs(List.of(second, first))).isEqualTo(11);
    asked.clear();
    assertThat(doneNs(List.of(last, second, first, beside))).isEqualTo(1100);
    assertThat(asked).containsExactlyInAnyOrder("0 at 0", "1 at 1", "2 at 0", "3 at 100");
    assertThat(askedAtOnce).contains(0, 2).doesNotContain(1, 3);
  }

  @Test
  void shouldCountStepsWhoseOutputsNobodyReads() {
    assertThat(doneNs(List.of(step(0, 1, IN), step(2, 2, IN)))).isEqualTo(100);
  }

  @Test
  void shouldBeginWhenTheRequestDoes() {
    assertThat(CriticalPath.of(graph(List.of(step(1, 1, IN)))).doneNs(7, this::doneNs))
        .isEqualTo(17);
    assertThat(asked).containsExactly("1 at 7");
  }

  @Test
  void shouldCountNothingForWhatMayBeSkippedButWhatItWaitsFor() {
    // 1 runs if 0 says so; 2 reads from it, so it is not certain; 3 reads the condition only.
    List<Node> nodes =
        List.of(step(0, 1, IN), conditional(1, 2, false, IN, 1), step(2, 3, 2), step(3, 4, 1));

    assertThat(doneNs(nodes.subList(0, 3))).isEqualTo(1);
    assertThat(asked).containsExactly("0 at 0");
    asked.clear();
    assertThat(doneNs(nodes)).isEqualTo(1001);
    assertThat(asked).containsExactly("0 at 0", "3 at 1");
  }

  @Test
  void shouldCountWhoReadsOneOfTwoAlternativesOfWhichOneRuns() {
    Node given = step(0, 1, IN);
    Node when = conditional(1, 2, false, IN, 1);
    Node unless = conditional(2, 2, true, IN, 1);

    assertThat(doneNs(List.of(given, when, unless, step(3, 3, 2)))).isEqualTo(1001);
    assertThat(asked).containsExactly("0 at 0", "3 at 1");
  }

  @Test
  void shouldCountNeitherOfTwoAlternativesWhoseConditionMayBeMissing() {
    Node maybe = conditional(0, 1, false, IN, IN);
    Node when = conditional(1, 2, false, IN, 1);
    Node unless = conditional(2, 2, true, IN, 1);

    assertThat(doneNs(List.of(maybe, when, unless, step(3, 3, 2)))).isZero();
    assertThat(asked).isEmpty();
  }

  @Test
  void shouldCountNoItemsAndWhoJoinsThemOnlyIfItRunsWithoutAny() {
    Node inside = step(3, 1, IN);
    FanOut fanOut =
        new FanOut(
            "items",
            List.of(new Binding("x", 1)),
            1,
            graph(List.of(inside)),
            List.of(new Binding("y", 2)),
            List.of(),
            9,
            StepFlow.Excess.REJECT);

    assertThat(doneNs(List.of(step(0, 1, IN), fanOut, step(2, 3, 2)))).isEqualTo(101);
    asked.clear();
    assertThat(doneNs(List.of(step(0, 1, IN), fanOut, needingRows(2, 3, 2)))).isEqualTo(1);
    assertThat(asked).containsExactly("0 at 0");
  }

  private long doneNs(List<Node> nodes) {
    return CriticalPath.of(graph(nodes)).doneNs(0, this::doneNs);
  }

  private long doneNs(PlannedStep step, long readyNs, boolean isFirst) {
    asked.add(step.index() + " at " + readyNs);
    if (isFirst) {
      askedAtOnce.add(step.index());
    }
    return readyNs + Math.round(Math.pow(10, step.index()));
  }

  private static StepGraph graph(List<Node> nodes) {
    Integer[] givers = new Integer[SLOTS];
    Arrays.fill(givers, 0);
    givers[IN] = 1;
    for (Node node : nodes) {
      node.outputs().forEach(output -> givers[output.slot()]++);
    }
    List<Integer> unread = Arrays.stream(givers).map(giver -> 0).toList();
    return new StepGraph(nodes, List.of(new Binding("IN", IN)), List.of(), unread, List.of(givers));
  }

  private static PlannedStep step(int index, int output, int... inputs) {
    return planned(index, output, OptionalInt.empty(), false, false, inputs);
  }

  private static PlannedStep needingRows(int index, int output, int... inputs) {
    return planned(index, output, OptionalInt.empty(), false, true, inputs);
  }

  private static PlannedStep conditional(
      int index, int output, boolean unless, int input, int when) {
    return planned(index, output, OptionalInt.of(when), unless, false, input);
  }

  private static PlannedStep planned(
      int index, int output, OptionalInt when, boolean unless, boolean needsRows, int... inputs) {
    TensorSpec spec = new TensorSpec("x", DataType.FP32, Shape.of(-1, 4));
    return new PlannedStep(
        index,
        "m" + index,
        1,
        Optional.empty(),
        Arrays.stream(inputs).mapToObj(slot -> new Binding("x" + slot, slot)).toList(),
        List.of(new Binding("y", output)),
        when,
        unless,
        needsRows,
        new ModelSignature(List.of(spec), List.of(spec), 0));
  }
}
