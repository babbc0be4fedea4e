package dev.conveyor.models.optimize.graph;

import dev.conveyor.models.onnx.proto.AttributeProto;
import dev.conveyor.models.onnx.proto.GraphProto;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.NodeProto;
import dev.conveyor.models.onnx.proto.OperatorSetIdProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.onnx.proto.ValueInfoProto;
import dev.conveyor.models.optimize.OptimizeException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A model that can be changed: nodes, weights by name, inputs and outputs.
 *
 * <p>Not thread-safe: owned by whoever transforms it. Values are names, each made by at most one
 * node; {@link #producers} and {@link #consumers} are computed on every call, so they are right
 * after a change and should be kept in a variable within a loop. Shapes and types of values between
 * nodes are not kept: {@link ValueTypes} finds them again.
 */
public final class Graph {

  private final ModelProto template;
  private final List<Node> nodes = new ArrayList<>();
  private final Map<String, TensorProto> weights = new LinkedHashMap<>();
  private final List<ValueInfoProto> inputs = new ArrayList<>();
  private final List<ValueInfoProto> outputs = new ArrayList<>();
  private long opset;
  private long irVersion;

  private Graph(ModelProto template) {
    this.template = template;
  }

  /** Takes a model apart. Weights that are inputs too (older files) are no inputs any more. */
  public static Graph of(ModelProto model) {
    Graph graph = new Graph(model.toBuilder().clearGraph().build());
    GraphProto proto = model.getGraph();
    proto.getInitializerList().forEach(w -> graph.weights.put(w.getName(), w));
    proto.getInputList().stream()
        .filter(i -> !graph.weights.containsKey(i.getName()))
        .forEach(graph.inputs::add);
    graph.outputs.addAll(proto.getOutputList());
    proto.getNodeList().forEach(n -> graph.nodes.add(Node.of(n)));
    graph.irVersion = Math.max(4, model.getIrVersion());
    graph.opset =
        model.getOpsetImportList().stream()
            .filter(Graph::isStandard)
            .mapToLong(OperatorSetIdProto::getVersion)
            .findFirst()
            .orElse(1);
    return graph;
  }

  private static boolean isStandard(OperatorSetIdProto set) {
    return set.getDomain().isEmpty() || set.getDomain().equals("ai.onnx");
  }

  /** Puts the model together again, nodes in an order in which they can run. */
  public ModelProto toModel() {
    sort();
    GraphProto.Builder graph =
        GraphProto.newBuilder().setName("conveyor").addAllInput(inputs).addAllOutput(outputs);
    nodes.forEach(n -> graph.addNode(n.toProto()));
    weights.forEach((name, w) -> graph.addInitializer(w.toBuilder().setName(name)));
    ModelProto.Builder model =
        template.toBuilder().clearOpsetImport().setIrVersion(irVersion).setGraph(graph);
    model.addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(opset));
    Set<String> used = new HashSet<>();
    nodes.forEach(n -> used.add(n.domain()));
    template.getOpsetImportList().stream()
        .filter(set -> !isStandard(set) && used.contains(set.getDomain()))
        .forEach(model::addOpsetImport);
    return model.build();
  }

  public Graph copy() {
    return of(toModel());
  }

  public List<Node> nodes() {
    return nodes;
  }

  /** Returns the constants by name, which may be changed. */
  public Map<String, TensorProto> weights() {
    return weights;
  }

  public List<ValueInfoProto> inputs() {
    return inputs;
  }

  public List<ValueInfoProto> outputs() {
    return outputs;
  }

  public long opset() {
    return opset;
  }

  /** Declares another version of the standard operators, and a file format that allows it. */
  public void setOpset(long version) {
    opset = version;
    irVersion = Math.max(irVersion, version >= 15 ? 8 : version >= 12 ? 7 : 4);
  }

  /** Returns the node that makes each value. */
  public Map<String, Node> producers() {
    Map<String, Node> producers = new HashMap<>();
    for (Node node : nodes) {
      node.outputs().stream().filter(o -> !o.isEmpty()).forEach(o -> producers.put(o, node));
    }
    return producers;
  }

  /** Returns the nodes that read each value; one that reads it twice is there twice. */
  public Map<String, List<Node>> consumers() {
    Map<String, List<Node>> consumers = new HashMap<>();
    for (Node node : nodes) {
      for (String input : node.inputs()) {
        consumers.computeIfAbsent(input, k -> new ArrayList<>()).add(node);
      }
    }
    return consumers;
  }

  /** Returns the values that must keep their names: outputs, and what inner graphs refer to. */
  public Set<String> pinned() {
    Set<String> pinned = new HashSet<>();
    outputs.forEach(o -> pinned.add(o.getName()));
    for (Node node : nodes) {
      for (AttributeProto attribute : node.attributes().values()) {
        collect(attribute, pinned);
      }
    }
    return pinned;
  }

  private static void collect(AttributeProto attribute, Set<String> names) {
    List<GraphProto> graphs = new ArrayList<>(attribute.getGraphsList());
    if (attribute.hasG()) {
      graphs.add(attribute.getG());
    }
    for (GraphProto graph : graphs) {
      graph.getOutputList().forEach(o -> names.add(o.getName()));
      for (NodeProto node : graph.getNodeList()) {
        names.addAll(node.getInputList());
        node.getAttributeList().forEach(a -> collect(a, names));
      }
    }
  }

  /** Returns a constant's tensor, or null if the value is not constant. */
  public @Nullable TensorProto weight(String name) {
    return weights.get(name);
  }

  /** Adds a constant under a name like the one given and returns its name. */
  public String addWeight(String base, TensorProto tensor) {
    String name = freshName(base);
    weights.put(name, tensor);
    return name;
  }

  /** Returns a name that no value has yet. */
  public String freshName(String base) {
    Set<String> taken = new HashSet<>(weights.keySet());
    inputs.forEach(i -> taken.add(i.getName()));
    nodes.forEach(n -> taken.addAll(n.outputs()));
    String name = base;
    for (int i = 2; taken.contains(name); i++) {
      name = base + "_" + i;
    }
    return name;
  }

  /** Makes every reader of a value read another one; a graph output is not renamed. */
  public void replaceReaders(String from, String to) {
    nodes.forEach(n -> n.replaceInput(from, to));
  }

  /** Removes nodes and weights that no output depends on. */
  public void removeDead() {
    Map<String, Node> producers = producers();
    Set<Node> alive = new HashSet<>();
    Set<String> seen = new HashSet<>();
    Deque<String> open = new ArrayDeque<>(pinned());
    while (!open.isEmpty()) {
      String value = open.remove();
      Node node = producers.get(value);
      if (seen.add(value) && node != null && alive.add(node)) {
        open.addAll(node.inputs());
      }
    }
    nodes.retainAll(alive);
    weights.keySet().retainAll(seen);
  }

  private void sort() {
    Map<String, Node> producers = producers();
    Set<Node> placed = new HashSet<>();
    List<Node> sorted = new ArrayList<>(nodes.size());
    for (Node node : List.copyOf(nodes)) {
      place(node, producers, placed, sorted);
    }
    nodes.clear();
    nodes.addAll(sorted);
  }

  /** Depth first without recursion: graphs are deep. */
  private static void place(
      Node root, Map<String, Node> producers, Set<Node> placed, List<Node> sorted) {
    Deque<Node> stack = new ArrayDeque<>();
    Set<Node> visiting = new HashSet<>();
    stack.push(root);
    while (!stack.isEmpty()) {
      Node node = stack.peek();
      if (placed.contains(node)) {
        stack.pop();
      } else if (visiting.add(node)) {
        Set<String> needs = new HashSet<>(node.inputs());
        node.attributes().values().forEach(a -> collect(a, needs));
        for (String need : needs) {
          Node before = producers.get(need);
          if (before != null && before != node && !placed.contains(before)) {
            if (visiting.contains(before)) {
              throw new OptimizeException("the graph has a cycle through " + node);
            }
            stack.push(before);
          }
        }
      } else {
        stack.pop();
        placed.add(node);
        sorted.add(node);
      }
    }
  }
}
