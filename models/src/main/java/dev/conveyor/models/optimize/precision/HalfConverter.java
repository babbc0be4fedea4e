package dev.conveyor.models.optimize.precision;

import dev.conveyor.models.onnx.proto.AttributeProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.onnx.proto.ValueInfoProto;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import dev.conveyor.models.optimize.graph.ValueTypes;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Turns a model of FP32 into one of FP16.
 *
 * <p>Not thread-safe: one object, one conversion. Every FP32 value has a home type: that of the
 * node that makes it, half unless the node is kept in float. Where a reader wants the other type, a
 * cast is put between, once per value.
 */
public final class HalfConverter {

  /** Operators that have no half kernels anywhere, or lose their meaning in half. */
  private static final Set<String> ALWAYS_FLOAT =
      Set.of(
          "QuantizeLinear",
          "DequantizeLinear",
          "DynamicQuantizeLinear",
          "NonMaxSuppression",
          "Range",
          "RandomNormal",
          "RandomUniform",
          "RandomNormalLike",
          "RandomUniformLike",
          "Multinomial",
          "CumSum",
          "RoiAlign",
          "EyeLike");

  private static final String HALF = "_fp16";
  private static final String FLOAT = "_fp32";

  private final Graph graph;
  private final ValueTypes types;
  private final Options options;
  private final Set<Node> kept = new HashSet<>();
  private final List<String> keptNames = new ArrayList<>();
  private final Map<String, String> casts = new HashMap<>();
  private final List<Node> added = new ArrayList<>();
  private final Set<String> halfHome = new HashSet<>();

  /**
   * How to convert.
   *
   * @param keepInFloat operators or nodes by name
   * @param halfInputsAndOutputs whether the model's own inputs and outputs change their type
   * @param largest largest magnitude seen of each value on data; where it is too much for FP16 the
   *     nodes at both ends are kept in float
   */
  public record Options(
      Set<String> keepInFloat, boolean halfInputsAndOutputs, Map<String, Float> largest) {}

  /**
   * A converted model.
   *
   * @param keptInFloat nodes, with the reason
   */
  public record Result(Graph graph, List<String> keptInFloat) {
    public Result {
      keptInFloat = List.copyOf(keptInFloat);
    }
  }

  private HalfConverter(Graph graph, Options options) {
    this.graph = graph;
    this.types = ValueTypes.of(graph);
    this.options = options;
  }

  /** Converts a copy of a prepared model. */
  public static Result convert(Graph prepared, Options options) {
    HalfConverter converter = new HalfConverter(prepared.copy(), options);
    converter.run();
    return new Result(converter.graph, converter.keptNames);
  }

  private void run() {
    for (Node node : graph.nodes()) {
      String why = whyKept(node);
      if (!why.isEmpty()) {
        kept.add(node);
        keptNames.add(node + ": " + why);
      } else {
        node.outputs().stream().filter(types::isFloat).forEach(halfHome::add);
      }
    }
    if (options.halfInputsAndOutputs()) {
      graph.inputs().replaceAll(this::halfInput);
    }
    Map<String, TensorProto> halfWeights = new HashMap<>();
    for (Node node : List.copyOf(graph.nodes())) {
      boolean half = !kept.contains(node);
      for (int i = 0; i < node.inputs().size(); i++) {
        String value = node.input(i);
        boolean wantsHalf = half && !isFloatOperand(node, i);
        TensorProto weight = graph.weight(value);
        if (weight != null) {
          if (wantsHalf && Weights.isFloat(weight)) {
            halfWeights.computeIfAbsent(
                value + HALF,
                k -> Weights.ofHalfs(false, Weights.dims(weight), Weights.floats(weight)));
            node.inputs().set(i, value + HALF);
          }
        } else if (isFloatValue(value)) {
          node.inputs().set(i, as(value, wantsHalf));
        }
      }
      if (half) {
        convertAttributes(node);
      }
    }
    graph.weights().putAll(halfWeights);
    for (int o = 0; o < graph.outputs().size(); o++) {
      output(o);
    }
    graph.nodes().addAll(added);
    graph.removeDead();
  }

  private boolean isFloatValue(String value) {
    return types.isFloat(value);
  }

  private String whyKept(Node node) {
    if (options.keepInFloat().contains(node.type())
        || options.keepInFloat().contains(node.name())) {
      return "named";
    }
    if (!node.domain().isEmpty() || node.hasSubgraph() || ALWAYS_FLOAT.contains(node.type())) {
      return "the operator has no FP16 form";
    }
    List<String> ends = new ArrayList<>(node.inputs());
    ends.addAll(node.outputs());
    for (String value : ends) {
      TensorProto weight = graph.weight(value);
      float largest =
          weight == null || !Weights.isFloat(weight)
              ? options.largest().getOrDefault(value, 0f)
              : largest(Weights.floats(weight));
      if (largest > Float16.HALF_MAX) {
        return "'%s' reaches %g, FP16 ends at %.0f".formatted(value, largest, Float16.HALF_MAX);
      }
    }
    return "";
  }

  private static float largest(float[] values) {
    float largest = 0;
    for (float value : values) {
      largest = Math.max(largest, Float.isInfinite(value) ? 0 : Math.abs(value));
    }
    // The usual "no limit" of Clip and masks stays a limit when it becomes infinite.
    return largest == Float.MAX_VALUE ? 0 : largest;
  }

  /** Operands that are FP32 by the operator's definition. */
  private static boolean isFloatOperand(Node node, int index) {
    return node.is("Resize") && (index == 1 || index == 2);
  }

  private ValueInfoProto halfInput(ValueInfoProto input) {
    if (!types.isFloat(input.getName())) {
      return input;
    }
    halfHome.add(input.getName());
    return half(input);
  }

  private static ValueInfoProto half(ValueInfoProto value) {
    ValueInfoProto.Builder changed = value.toBuilder();
    changed
        .getTypeBuilder()
        .getTensorTypeBuilder()
        .setElemType(TensorProto.DataType.FLOAT16.getNumber());
    return changed.build();
  }

  private String as(String value, boolean half) {
    if (halfHome.contains(value) == half) {
      return value;
    }
    String name = value + (half ? HALF : FLOAT);
    return casts.computeIfAbsent(
        name,
        n -> {
          added.add(cast(value, n, half));
          return n;
        });
  }

  private static Node cast(String from, String to, boolean half) {
    TensorProto.DataType type = half ? TensorProto.DataType.FLOAT16 : TensorProto.DataType.FLOAT;
    return new Node("Cast", to + "_cast", List.of(from), List.of(to)).with("to", type.getNumber());
  }

  private void output(int index) {
    ValueInfoProto output = graph.outputs().get(index);
    String name = output.getName();
    if (!types.isFloat(name)) {
      return;
    }
    boolean wanted = options.halfInputsAndOutputs();
    if (wanted) {
      graph.outputs().set(index, half(output));
    }
    if (halfHome.contains(name) != wanted) {
      String inner = graph.freshName(name + (wanted ? FLOAT : HALF) + "_home");
      graph
          .nodes()
          .forEach(
              n -> {
                n.replaceInput(name, inner);
                n.outputs().replaceAll(o -> o.equals(name) ? inner : o);
              });
      added.forEach(n -> n.replaceInput(name, inner));
      added.add(cast(inner, name, wanted));
    }
  }

  private static void convertAttributes(Node node) {
    if (node.is("Cast") && node.intAttribute("to", 0) == TensorProto.DataType.FLOAT.getNumber()) {
      node.with("to", TensorProto.DataType.FLOAT16.getNumber());
    }
    AttributeProto value = node.attributes().get("value");
    if (value != null && value.hasT() && Weights.isFloat(value.getT())) {
      TensorProto tensor = value.getT();
      node.with("value", Weights.ofHalfs(false, Weights.dims(tensor), Weights.floats(tensor)));
    }
  }
}
