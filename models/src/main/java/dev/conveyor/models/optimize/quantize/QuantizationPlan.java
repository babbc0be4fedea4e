package dev.conveyor.models.optimize.quantize;

import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import dev.conveyor.models.optimize.graph.ValueTypes;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Which nodes of a graph are to be computed with 8-bit integers. Immutable.
 *
 * <p>Layers with weights are where the time goes, so they are taken, unless excluded. Nodes that
 * only move or combine values are taken where they lie between two such layers: there they save the
 * way to float and back. Everything else stays float and is listed.
 *
 * <p>A ReLU (or a Clip from zero) right after a taken node is part of it: an unsigned result whose
 * zero point is zero cuts off at zero by itself.
 */
public final class QuantizationPlan {

  /** Their result has the scale of their first operand: they only pick or move values. */
  private static final String[] SAME_SCALE = {
    "MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Resize", "Slice"
  };

  private static final String[] OWN_SCALE = {
    "Add", "Mul", "Concat", "AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid"
  };

  private final Graph graph;
  private final ValueTypes types;
  private final Map<String, List<Node>> consumers;
  private final Map<String, Node> producers;
  private final Set<String> pinned;
  private final Set<Node> quantised = new LinkedHashSet<>();
  private final List<Node> layers = new ArrayList<>();

  private QuantizationPlan(Graph graph, Predicate<Node> wanted, boolean between) {
    this.graph = graph;
    this.types = ValueTypes.of(graph);
    this.consumers = graph.consumers();
    this.producers = graph.producers();
    this.pinned = graph.pinned();
    graph.nodes().stream().filter(this::isLayer).filter(wanted).forEach(layers::add);
    quantised.addAll(layers);
    if (between) {
      addBetween(wanted);
    }
  }

  /**
   * Plans for everything that can be quantised.
   *
   * @param excluded names of nodes, or operators, to leave in float
   */
  public static QuantizationPlan of(Graph graph, Set<String> excluded) {
    graph.toModel();
    return new QuantizationPlan(
        graph, n -> !excluded.contains(n.name()) && !excluded.contains(n.type()), true);
  }

  /** Plans for a single layer. */
  static QuantizationPlan only(Graph graph, String layer) {
    return new QuantizationPlan(graph, n -> n.name().equals(layer), false);
  }

  /** Returns the layers with weights, in the order of the graph. */
  public List<Node> layers() {
    return Collections.unmodifiableList(layers);
  }

  Set<Node> quantised() {
    return Collections.unmodifiableSet(quantised);
  }

  ValueTypes types() {
    return types;
  }

  Graph graph() {
    return graph;
  }

  /** Returns the FP32 values that are inputs or results of quantised nodes. */
  public Set<String> values() {
    Set<String> values = new LinkedHashSet<>();
    for (Node node : quantised) {
      values.addAll(activations(node));
      values.add(result(node));
    }
    return values;
  }

  /** Returns the operators that stay float and how many there are of each. */
  public Map<String, Integer> floatOperators() {
    Map<String, Integer> operators = new TreeMap<>();
    Set<Node> fused = new HashSet<>();
    quantised.forEach(n -> fused.add(activationAfter(n)));
    for (Node node : graph.nodes()) {
      if (!quantised.contains(node)
          && !fused.contains(node)
          && node.outputs().stream().anyMatch(types::isFloat)) {
        operators.merge(node.type(), 1, Integer::sum);
      }
    }
    return operators;
  }

  /** Returns the operands of a node that are computed, not constant. */
  List<String> activations(Node node) {
    int operands = node.is("Concat") ? node.inputs().size() : node.is(SAME_SCALE) ? 1 : 2;
    return node.inputs().stream()
        .limit(operands)
        .filter(v -> graph.weight(v) == null && types.isFloat(v))
        .toList();
  }

  boolean keepsScale(Node node) {
    return node.is(SAME_SCALE);
  }

  /** Returns the ReLU or Clip that belongs to a quantised node, or null. */
  @Nullable Node activationAfter(Node node) {
    List<Node> readers = consumers.getOrDefault(node.output(), List.of());
    if (!node.is("Conv", "Gemm", "MatMul", "Add")
        || readers.size() != 1
        || pinned.contains(node.output())) {
      return null;
    }
    Node reader = readers.get(0);
    return reader.is("Relu") || isClipFromZero(reader) ? reader : null;
  }

  /** Returns the value that a node gives after the activation that belongs to it. */
  String result(Node node) {
    Node activation = activationAfter(node);
    return activation == null ? node.output() : activation.output();
  }

  /**
   * Returns the concatenation that is all that a quantised value is for, or null. With the scale of
   * its result its operands are copied, not computed anew, and rounded once instead of twice.
   */
  @Nullable Node concatOf(String value) {
    List<Node> readers = consumers.getOrDefault(value, List.of());
    Node maker = producers.get(value);
    boolean clipped = maker != null && maker.is("Clip");
    return readers.size() == 1
            && readers.get(0).is("Concat")
            && quantised.contains(readers.get(0))
            && !pinned.contains(value)
            && !clipped
        ? readers.get(0)
        : null;
  }

  /** Returns whether a value comes out of a ReLU. */
  boolean isRectified(String value) {
    Node maker = producers.get(value);
    return maker != null && maker.is("Relu");
  }

  /** Returns whether a node's result goes on as integers; the last product may give float. */
  boolean quantisesResult(Node node) {
    return !node.is("Gemm", "MatMul")
        || consumers.getOrDefault(result(node), List.of()).stream().anyMatch(quantised::contains);
  }

  boolean isQuantised(@Nullable Node node) {
    return node != null && quantised.contains(node);
  }

  private boolean isClipFromZero(Node node) {
    TensorProto min = node.is("Clip") ? graph.weight(node.input(1)) : null;
    return min != null && Weights.isFloat(min) && Weights.floats(min)[0] == 0f;
  }

  private boolean isLayer(Node node) {
    if (!types.isFloat(node.input(0)) || graph.weight(node.input(0)) != null) {
      return false;
    }
    TensorProto weight = graph.weight(node.input(1));
    boolean floats = weight != null && Weights.isFloat(weight);
    boolean bias = node.input(2).isEmpty() || graph.weight(node.input(2)) != null;
    if (node.is("Conv")) {
      return floats && bias;
    }
    if (node.is("Gemm")) {
      TensorProto c = graph.weight(node.input(2));
      return floats
          && bias
          && (c == null || c.getDimsCount() == 1)
          && node.intAttribute("transA", 0) == 0
          && node.floatAttribute("alpha", 1) == 1f
          && node.floatAttribute("beta", 1) == 1f;
    }
    return node.is("MatMul")
        && (weight == null ? types.isFloat(node.input(1)) : floats && weight.getDimsCount() == 2);
  }

  private boolean isMover(Node node) {
    if (!node.is(SAME_SCALE) && !node.is(OWN_SCALE)) {
      return false;
    }
    boolean constant = node.is("Add", "Mul", "Concat");
    return node.outputs().stream().filter(o -> !o.isEmpty()).count() == 1
        && types.isFloat(node.output())
        && types.isFloat(node.input(0))
        && node.inputs().stream().noneMatch(v -> constant && graph.weight(v) != null)
        && !(node.is("Resize") && node.stringAttribute("mode", "nearest").equals("cubic"));
  }

  /** The graph is sorted, so one pass each way finds what lies after and before layers. */
  private void addBetween(Predicate<Node> wanted) {
    Map<String, Boolean> after = new HashMap<>();
    Map<String, Boolean> before = new HashMap<>();
    List<Node> nodes = graph.nodes();
    for (Node node : nodes) {
      boolean marked =
          quantised.contains(node)
              || (passes(node, wanted)
                  && node.inputs().stream().anyMatch(v -> after.getOrDefault(v, false)));
      node.outputs().forEach(o -> after.put(o, marked));
    }
    for (int i = nodes.size() - 1; i >= 0; i--) {
      Node node = nodes.get(i);
      boolean marked =
          quantised.contains(node)
              || (passes(node, wanted) && before.getOrDefault(node.output(), false));
      if (marked) {
        node.inputs().forEach(v -> before.put(v, true));
      }
    }
    List<Node> between = new ArrayList<>();
    for (Node node : nodes) {
      if (isMover(node)
          && wanted.test(node)
          && before.getOrDefault(node.output(), false)
          && node.inputs().stream().anyMatch(v -> after.getOrDefault(v, false))) {
        between.add(node);
      }
    }
    quantised.addAll(between);
  }

  private boolean passes(Node node, Predicate<Node> wanted) {
    if (isMover(node)) {
      return wanted.test(node);
    }
    // A ReLU is passed through only where it will belong to the node before it.
    Node maker = producers.get(node.input(0));
    return maker != null
        && (quantised.contains(maker) || isMover(maker))
        && activationAfter(maker) == node;
  }
}
