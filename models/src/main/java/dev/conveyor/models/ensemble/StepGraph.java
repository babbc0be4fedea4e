package dev.conveyor.models.ensemble;

import java.util.List;

/**
 * What runs after what, and where the tensors between are held. Immutable, thread-safe.
 *
 * @param inputs what comes in, and where it goes
 * @param outputs what goes out, and where it comes from
 * @param uses by slot: how many nodes, conditions and outputs read it
 * @param givers by slot: how many nodes and inputs put something there; of two, one is skipped
 */
public record StepGraph(
    List<Node> nodes,
    List<Binding> inputs,
    List<Binding> outputs,
    List<Integer> uses,
    List<Integer> givers) {

  public StepGraph {
    nodes = List.copyOf(nodes);
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
    uses = List.copyOf(uses);
    givers = List.copyOf(givers);
  }
}
