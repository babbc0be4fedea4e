package dev.conveyor.models.optimize.quantize;

import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Writes a graph with pairs of QuantizeLinear and DequantizeLinear, as a plan says; a runtime fuses
 * them with the node between into one that computes with integers.
 *
 * <p>Not thread-safe: one object, one graph.
 */
public final class Int8Quantizer {

  private static final long[] SCALAR = {};

  private final QuantizationPlan plan;
  private final Graph graph;
  private final Map<String, Range> ranges;
  private final Options options;
  private final Map<String, Node> producers;
  private final Map<String, String> dequantised = new HashMap<>();
  private final Map<String, String> zeros = new HashMap<>();
  private final Map<Node, Node> copies = new HashMap<>();

  /**
   * How to quantise.
   *
   * @param largestWeight integer: 127, or 64 for CPUs without VNNI, whose 16-bit sums saturate
   * @param channelMeans of the values that layers read, by which their biases are corrected; where
   *     they are not known, biases stay as they are
   */
  public record Options(Target target, int largestWeight, Map<String, double[]> channelMeans) {

    public Options {
      channelMeans = Map.copyOf(channelMeans);
    }

    /** Leaves biases as they are. */
    public Options(Target target, int largestWeight) {
      this(target, largestWeight, Map.of());
    }

    /** Returns the same with biases corrected. */
    public Options correcting(Map<String, double[]> means) {
      return new Options(target, largestWeight, means);
    }
  }

  private Int8Quantizer(QuantizationPlan plan, Map<String, Range> ranges, Options options) {
    this.plan = plan;
    this.graph = plan.graph().copy();
    this.ranges = ranges;
    this.options = options;
    this.producers = plan.graph().producers();
    for (int i = 0; i < graph.nodes().size(); i++) {
      copies.put(plan.graph().nodes().get(i), graph.nodes().get(i));
    }
  }

  /**
   * Quantises a copy of the plan's graph.
   *
   * @param ranges of all {@link QuantizationPlan#values}
   */
  public static Graph quantize(QuantizationPlan plan, Map<String, Range> ranges, Options options) {
    Int8Quantizer quantizer = new Int8Quantizer(plan, ranges, options);
    quantizer.run();
    return quantizer.graph;
  }

  private void run() {
    for (Node node : plan.quantised()) {
      for (String value : plan.activations(node)) {
        Node maker = producers.get(value);
        if (maker == null || !isResult(value)) {
          readQuantised(value);
        }
      }
      if (plan.quantisesResult(node)) {
        writeQuantised(node);
      }
    }
    for (Node node : plan.layers()) {
      constants(node);
    }
    if (options.target() == Target.CPU) {
      Map<String, String> namesBefore = new HashMap<>();
      dequantised.forEach((value, real) -> namesBefore.put(real, value));
      IntegerUpsampling.apply(graph, plan.types(), namesBefore);
    }
    graph.removeDead();
  }

  private boolean isResult(String value) {
    return plan.quantised().stream()
        .anyMatch(n -> plan.result(n).equals(value) && plan.quantisesResult(n));
  }

  /** Puts a pair before the quantised readers of a value that is made in float. */
  private void readQuantised(String value) {
    if (dequantised.containsKey(value)) {
      return;
    }
    String out = pair(value, value, graph.freshName(value + "_dq"));
    for (Node node : plan.quantised()) {
      if (plan.activations(node).contains(value)) {
        copy(node).replaceInput(value, out);
      }
    }
  }

  /** Puts a pair after a quantised node; all its readers read what went through integers. */
  private void writeQuantised(Node original) {
    Node node = copy(original);
    String result = plan.result(original);
    Node activation = plan.activationAfter(original);
    Node last = node;
    if (activation != null) {
      if (options.target() == Target.CPU) {
        graph.nodes().remove(copy(activation));
      } else {
        last = copy(activation);
      }
    }
    String raw = graph.freshName(result + "_float");
    last.outputs().set(0, raw);
    // The pair takes over the name, so readers and graph outputs need no change.
    pair(result, raw, result);
  }

  private Node copy(Node original) {
    Node copy = copies.get(original);
    if (copy == null) {
      throw new IllegalStateException(original + " is not in the plan's graph");
    }
    return copy;
  }

  private String pair(String value, String from, String to) {
    Scale scale = scale(value, new HashSet<>());
    String s = graph.addWeight(value + "_scale", Weights.ofFloats(SCALAR, scale.scale()));
    String z =
        graph.addWeight(
            value + "_zero_point",
            Weights.raw(
                scale.signed() ? TensorProto.DataType.INT8 : TensorProto.DataType.UINT8,
                SCALAR,
                (byte) scale.zeroPoint()));
    String q = graph.freshName(value + "_q");
    graph.nodes().add(new Node("QuantizeLinear", q, List.of(from, s, z), List.of(q)));
    graph
        .nodes()
        .add(new Node("DequantizeLinear", value + "_dequantize", List.of(q, s, z), List.of(to)));
    dequantised.put(value, to);
    return to;
  }

  /** Follows nodes that keep the scale to the value that has one of its own. */
  private Scale scale(String value, Set<String> seen) {
    Node maker = producers.get(value);
    boolean first = seen.add(value);
    if (first && maker != null && plan.isQuantised(maker) && plan.keepsScale(maker)) {
      return scale(maker.input(0), seen);
    }
    Node concat = first ? plan.concatOf(value) : null;
    if (concat != null) {
      Scale joint = scale(concat.output(), seen);
      // A ReLU that became the lower end of the integers needs that end at zero.
      if (joint.zeroPoint() == 0 || !plan.isRectified(value)) {
        return joint;
      }
    }
    Range range = ranges.get(value);
    if (range == null) {
      throw new OptimizeException("'" + value + "' was not observed while calibrating");
    }
    return Scale.of(range, options.target());
  }

  private void constants(Node original) {
    TensorProto weight = graph.weight(original.input(1));
    if (weight == null) {
      return;
    }
    Node node = copy(original);
    int axis =
        original.is("Conv") || (original.is("Gemm") && original.intAttribute("transB", 0) == 1)
            ? 0
            : 1;
    boolean cpu = options.target() == Target.CPU;
    float inputScale = scale(original.input(0), new HashSet<>()).scale();
    TensorProto biasTensor = graph.weight(original.input(2));
    float @Nullable [] bias = biasTensor == null ? null : Weights.floats(biasTensor);
    QuantizedWeights quantised =
        QuantizedWeights.of(weight, axis, options.largestWeight(), cpu ? bias : null, inputScale);
    node.inputs()
        .set(1, dequantised(original.input(1), quantised.tensor(), axis, quantised.scales()));
    double[] means = options.channelMeans().get(original.input(0));
    boolean corrects = means != null && original.is("Conv", "Gemm");
    if (means != null && corrects) {
      int groups = (int) original.intAttribute("group", 1);
      bias = BiasCorrection.corrected(Weights.floats(weight), quantised, groups, means, bias);
    }
    if (bias != null && (cpu || corrects)) {
      String name = biasTensor == null ? original.output() + "_bias" : original.input(2);
      String made =
          cpu
              ? integerBias(name, bias, quantised.scales(), inputScale)
              : graph.addWeight(name, Weights.ofFloats(new long[] {bias.length}, bias));
      while (node.inputs().size() < 3) {
        node.inputs().add("");
      }
      node.inputs().set(2, made);
    }
  }

  private String integerBias(String name, float[] bias, float[] weightScales, float inputScale) {
    int[] integers = new int[bias.length];
    float[] scales = new float[bias.length];
    for (int c = 0; c < bias.length; c++) {
      scales[c] = weightScales[c] * inputScale;
      integers[c] = (int) Math.rint((double) bias[c] / scales[c]);
    }
    return dequantised(name, Weights.ofInts(new long[] {bias.length}, integers), 0, scales);
  }

  /** Adds a constant in integers and the node that makes it real; returns the real value. */
  private String dequantised(String name, TensorProto integers, int axis, float[] scales) {
    boolean wide = integers.getDataType() == TensorProto.DataType.INT32.getNumber();
    long[] dims = {scales.length};
    String q = graph.addWeight(name + "_q", integers);
    List<String> operands = new ArrayList<>(List.of(q));
    operands.add(graph.addWeight(name + "_scale", Weights.ofFloats(dims, scales)));
    operands.add(
        zeros.computeIfAbsent(
            (wide ? "zeros_int32_" : "zeros_int8_") + scales.length,
            zero ->
                graph.addWeight(
                    zero,
                    wide
                        ? Weights.ofInts(dims, new int[scales.length])
                        : Weights.raw(TensorProto.DataType.INT8, dims, new byte[scales.length]))));
    String out = graph.freshName(name + "_dq");
    graph.nodes().add(new Node("DequantizeLinear", out, operands, List.of(out)).with("axis", axis));
    return out;
  }
}
