package dev.conveyor.models.optimize.graph;

import dev.conveyor.models.Shape;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.OptimizeException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Raises a model to opset 13, the first in which weights can be quantised per channel. Stateless.
 *
 * <p>Most operators only took on more types between 7 and 13; those whose attributes became inputs,
 * or whose meaning changed, are rewritten here (ONNX, docs/Changelog.md).
 */
final class OpsetUpgrade {

  static final long TARGET = 13;
  private static final long OLDEST = 7;

  private final Graph graph;
  private final long from;
  private final ValueTypes types;
  private final List<Node> result = new ArrayList<>();

  private OpsetUpgrade(Graph graph) {
    this.graph = graph;
    this.from = graph.opset();
    this.types = ValueTypes.of(graph);
  }

  /**
   * Raises the model if it is older.
   *
   * @return whether it was
   * @throws OptimizeException if it cannot be raised
   */
  static boolean apply(Graph graph) {
    if (graph.opset() >= TARGET) {
      return false;
    }
    if (graph.opset() < OLDEST) {
      throw new OptimizeException(
          "the model has opset %d; opset %d is needed and can be reached from %d on: export it anew"
              .formatted(graph.opset(), TARGET, OLDEST));
    }
    new OpsetUpgrade(graph).run();
    return true;
  }

  private void run() {
    for (Node node : graph.nodes()) {
      if (node.hasSubgraph()) {
        throw new OptimizeException(
            "%s has graphs of its own, whose opset %d cannot be raised to %d"
                .formatted(node, from, TARGET));
      }
      if (node.domain().isEmpty()) {
        upgrade(node);
      } else {
        result.add(node);
      }
    }
    graph.nodes().clear();
    graph.nodes().addAll(result);
    graph.setOpset(TARGET);
  }

  private void upgrade(Node node) {
    switch (node.type()) {
      case "Squeeze", "Unsqueeze", "ReduceSum" -> result.add(intsToInput(node, "axes", 1));
      case "Split" -> result.add(intsToInput(node, "split", 1));
      case "Softmax", "LogSoftmax", "Hardmax" -> softmax(node);
      case "Clip" -> result.add(from < 11 ? clip(node) : node);
      case "Pad" -> result.add(from < 11 ? pad(node) : node);
      case "Slice" -> result.add(from < 10 ? slice(node) : node);
      case "TopK" -> result.add(from < 10 ? topK(node) : node);
      case "Upsample" -> result.add(resize(node, node.input(1)));
      case "Resize" -> result.add(from < 11 ? resize(node, node.input(1)) : node);
      case "Scatter" -> result.add(node.as("ScatterElements", node.inputs(), node.outputs()));
      case "Dropout" -> result.add(dropout(node));
      case "BatchNormalization" -> result.add(batchNormalization(node));
      case "Scan" -> throw refused(node, "its inputs changed in opset 9");
      default -> result.add(node);
    }
  }

  private Node intsToInput(Node node, String key, int index) {
    long[] values = node.intsAttribute(key);
    node.attributes().remove(key);
    return values == null ? node : withInput(node, index, Weights.ofLongs(values), key);
  }

  private Node withInput(Node node, int index, TensorProto value, String key) {
    while (node.inputs().size() <= index) {
      node.inputs().add("");
    }
    node.inputs().set(index, graph.addWeight(node.name() + "_" + key, value));
    return node;
  }

  /** Before opset 13 everything from the axis on is one dimension; since then the axis alone is. */
  private void softmax(Node node) {
    long axis = node.intAttribute("axis", 1);
    Shape known = types.shape(node.input(0));
    if (axis == -1 || (known != null && axis == known.rank() - 1)) {
      result.add(node.with("axis", -1));
      return;
    }
    String in = node.input(0);
    String base = node.name();
    String shape = graph.freshName(base + "_shape");
    String flat = graph.freshName(base + "_flat");
    String soft = graph.freshName(base + "_soft");
    result.add(new Node("Shape", base + "_shape", List.of(in), List.of(shape)));
    result.add(
        new Node("Flatten", base + "_flatten", List.of(in), List.of(flat)).with("axis", axis));
    result.add(node.as(node.type(), List.of(flat), List.of(soft)).with("axis", -1));
    result.add(new Node("Reshape", base + "_reshape", List.of(soft, shape), node.outputs()));
  }

  private Node clip(Node node) {
    float min = node.floatAttribute("min", -Float.MAX_VALUE);
    float max = node.floatAttribute("max", Float.MAX_VALUE);
    node.attributes().remove("min");
    node.attributes().remove("max");
    withInput(node, 1, Weights.ofFloats(new long[0], min), "min");
    return withInput(node, 2, Weights.ofFloats(new long[0], max), "max");
  }

  private Node pad(Node node) {
    float value = node.floatAttribute("value", 0);
    node.attributes().remove("value");
    intsToInput(node, "pads", 1);
    return withInput(node, 2, Weights.ofFloats(new long[0], value), "value");
  }

  private Node slice(Node node) {
    intsToInput(node, "starts", 1);
    intsToInput(node, "ends", 2);
    return intsToInput(node, "axes", 3);
  }

  private Node topK(Node node) {
    long k = node.intAttribute("k", 1);
    node.attributes().remove("k");
    return withInput(node, 1, Weights.ofLongs(k), "k");
  }

  /** What Upsample and the first Resize computed is asymmetric, rounded down. */
  private Node resize(Node node, String scalesInput) {
    String scales = scalesInput;
    if (scales.isEmpty()) {
      var attribute = node.attributes().remove("scales");
      if (attribute == null) {
        throw refused(node, "it has no scales");
      }
      float[] values = new float[attribute.getFloatsCount()];
      for (int i = 0; i < values.length; i++) {
        values[i] = attribute.getFloats(i);
      }
      scales =
          graph.addWeight(
              node.name() + "_scales", Weights.ofFloats(new long[] {values.length}, values));
    }
    return node.as("Resize", List.of(node.input(0), "", scales), node.outputs())
        .with("coordinate_transformation_mode", "asymmetric")
        .with("nearest_mode", "floor");
  }

  private static Node dropout(Node node) {
    if (node.outputs().size() > 1) {
      node.outputs().subList(1, node.outputs().size()).clear();
    }
    return node.as("Identity", List.of(node.input(0)), node.outputs()).withoutAttributes();
  }

  private static Node batchNormalization(Node node) {
    if (node.intAttribute("spatial", 1) != 1) {
      throw refused(node, "spatial = 0 has no equivalent");
    }
    if (node.outputs().size() > 1) {
      throw refused(node, "it is written for training");
    }
    node.attributes().remove("spatial");
    return node;
  }

  private static OptimizeException refused(Node node, @Nullable String why) {
    return new OptimizeException(
        "%s cannot be raised to opset %d: %s".formatted(node, TARGET, why));
  }
}
