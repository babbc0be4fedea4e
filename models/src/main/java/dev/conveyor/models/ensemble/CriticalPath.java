package dev.conveyor.models.ensemble;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The steps that every request of an ensemble takes, and what waits for what: it tells from how
 * long each of them takes at least how long a request does. Immutable, thread-safe.
 *
 * <p>A step that may be skipped, and the items of a fan-out, of which there may be none, count for
 * nothing here; but who reads what they give waits for all that they wait for.
 */
public final class CriticalPath {

  /** How long the steps of one request take at least. */
  @FunctionalInterface
  public interface StepTime {

    /**
     * Returns when a step has run.
     *
     * @param step certain to run; it may need no model
     * @param readyNs when its inputs are there at the earliest, on the clock of {@link #doneNs}
     * @param isFirst whether it waits for nothing but the inputs of the request
     * @return on the same clock; not before {@code readyNs}
     */
    long doneNs(PlannedStep step, long readyNs, boolean isFirst);
  }

  /**
   * A node in its turn.
   *
   * @param isCertain whether it is a step that every request takes
   * @param isFirst whether it waits for no other
   */
  private record Turn(Node node, boolean isCertain, boolean isFirst) {}

  private final List<Turn> turns;
  private final int slots;

  private CriticalPath(List<Turn> turns, int slots) {
    this.turns = List.copyOf(turns);
    this.slots = slots;
  }

  /** Finds the steps that every request takes. */
  public static CriticalPath of(StepGraph graph) {
    List<Turn> turns = new ArrayList<>(graph.nodes().size());
    boolean[] maybeAbsent = new boolean[graph.givers().size()];
    boolean[] isGiven = new boolean[graph.givers().size()];
    graph.inputs().forEach(input -> isGiven[input.slot()] = true);
    Progress progress = new Progress(graph);
    List<Integer> ready = new ArrayList<>(progress.start());
    while (!ready.isEmpty()) {
      int position = ready.remove(0);
      turns.add(turn(graph, graph.nodes().get(position), maybeAbsent, isGiven));
      ready.addAll(progress.done(position));
    }
    return new CriticalPath(turns, maybeAbsent.length);
  }

  private static Turn turn(StepGraph graph, Node node, boolean[] maybeAbsent, boolean[] isGiven) {
    if (!(node instanceof PlannedStep step)) {
      return new Turn(node, false, false); // what is joined is there, without rows at least
    }
    boolean isMaybe = step.needsRows();
    boolean isFirst = true;
    for (Binding input : step.inputs()) {
      isFirst &= isGiven[input.slot()];
      isMaybe |= maybeAbsent[input.slot()];
    }
    boolean isConditional = step.when().isPresent();
    if (isConditional) {
      isMaybe |= maybeAbsent[step.when().getAsInt()];
    }
    for (Binding output : step.outputs()) {
      boolean hasAlternative = graph.givers().get(output.slot()) > 1;
      maybeAbsent[output.slot()] |= isMaybe || (isConditional && !hasAlternative);
    }
    return new Turn(node, !isMaybe && !isConditional, isFirst);
  }

  /**
   * Returns when a request is done at the earliest.
   *
   * @param beginNs when its inputs are there, on any clock
   * @param times asked once for every step that is certain to run, after those that it waits for
   */
  public long doneNs(long beginNs, StepTime times) {
    long[] thereNs = new long[slots];
    Arrays.fill(thereNs, beginNs);
    long lastNs = beginNs;
    for (int i = 0; i < turns.size(); i++) {
      Turn turn = turns.get(i);
      Node node = turn.node();
      long readyNs = beginNs;
      for (Binding input : node.inputs()) {
        readyNs = Math.max(readyNs, thereNs[input.slot()]);
      }
      if (node.when().isPresent()) {
        readyNs = Math.max(readyNs, thereNs[node.when().getAsInt()]);
      }
      long doneNs =
          turn.isCertain() && node instanceof PlannedStep step
              ? times.doneNs(step, readyNs, turn.isFirst())
              : readyNs;
      for (Binding output : node.outputs()) {
        thereNs[output.slot()] = Math.max(thereNs[output.slot()], doneNs);
      }
      lastNs = Math.max(lastNs, doneNs);
    }
    return lastNs;
  }
}
