package dev.conveyor.models.ensemble;

import java.util.ArrayList;
import java.util.List;

/**
 * Which nodes of one pass through a graph may run. Not thread-safe: owned by that pass.
 *
 * <p>Invariant: a node is returned once, when the last of the tensors it reads is there. A tensor
 * is there when all who may give it are done.
 */
public final class Progress {

  private final StepGraph graph;
  private final int[] missing;
  private final boolean[] begun;
  private int unfinished;

  public Progress(StepGraph graph) {
    this.graph = graph;
    this.missing = new int[graph.givers().size()];
    for (int slot = 0; slot < missing.length; slot++) {
      missing[slot] = graph.givers().get(slot);
    }
    this.begun = new boolean[graph.nodes().size()];
    this.unfinished = graph.nodes().size();
  }

  /** The inputs are there; returns the nodes that may run, by their position. */
  public List<Integer> start() {
    arrived(graph.inputs());
    return ready();
  }

  /** A node has given its outputs; returns the nodes that may run now, by their position. */
  public List<Integer> done(int position) {
    unfinished--;
    arrived(graph.nodes().get(position).outputs());
    return ready();
  }

  public boolean isFinished() {
    return unfinished == 0;
  }

  /** Returns whether what this slot holds is there, or was. */
  boolean isThere(int slot) {
    return missing[slot] == 0;
  }

  boolean hasBegun(int position) {
    return begun[position];
  }

  private void arrived(List<Binding> bindings) {
    for (Binding binding : bindings) {
      missing[binding.slot()]--;
    }
  }

  private List<Integer> ready() {
    List<Integer> ready = List.of(); // as it is for most
    for (int i = 0; i < begun.length; i++) {
      if (!begun[i] && isReady(graph.nodes().get(i))) {
        begun[i] = true;
        if (ready.isEmpty()) {
          ready = new ArrayList<>(begun.length);
        }
        ready.add(i);
      }
    }
    return ready;
  }

  private boolean isReady(Node node) {
    for (Binding binding : node.inputs()) {
      if (!isThere(binding.slot())) {
        return false;
      }
    }
    return node.when().isEmpty() || isThere(node.when().getAsInt());
  }
}
