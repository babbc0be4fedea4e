package dev.conveyor.models.optimize.graph;

import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Removes nodes that do nothing at inference and writes others in their plainest form. Stateless.
 */
final class Cleanup {

  private Cleanup() {}

  /** Returns the number of nodes that are gone. */
  static int apply(Graph graph) {
    int before = graph.nodes().size();
    for (Node node : List.copyOf(graph.nodes())) {
      if (node.is("Sum") && node.inputs().size() == 2) {
        graph
            .nodes()
            .set(
                graph.nodes().indexOf(node),
                node.as("Add", node.inputs(), node.outputs()).withoutAttributes());
      } else if (node.is("Identity") || isIdleDropout(node)) {
        bypass(graph, node);
      }
    }
    graph.removeDead();
    return before - graph.nodes().size();
  }

  private static boolean isIdleDropout(Node node) {
    return node.is("Dropout") && node.outputs().size() == 1 && node.input(2).isEmpty();
  }

  private static void bypass(Graph graph, Node node) {
    String in = node.input(0);
    String out = node.output();
    Set<String> pinned = graph.pinned();
    if (!pinned.contains(out)) {
      graph.replaceReaders(out, in);
      graph.nodes().remove(node);
      return;
    }
    Map<String, Node> producers = graph.producers();
    Node before = producers.get(in);
    if (before != null && !pinned.contains(in)) {
      graph.nodes().remove(node);
      before.outputs().replaceAll(o -> o.equals(in) ? out : o);
      graph.replaceReaders(in, out);
    }
  }
}
