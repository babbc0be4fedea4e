package dev.conveyor.models.optimize.quantize;

import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import dev.conveyor.models.optimize.graph.ValueTypes;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Quantises the matrix products of a model without calibration. Stateless.
 *
 * <p>Weights only: they are kept as integers and made real at every use; small, not fast. Dynamic:
 * the other factor is quantised too, with the range it has at that moment, and the product is one
 * of integers (ONNX's MatMulInteger).
 */
public final class ProductQuantizer {

  /**
   * A quantised model.
   *
   * @param products how many were quantised
   */
  public record Result(Graph graph, int products) {}

  private ProductQuantizer() {}

  /**
   * Quantises a copy of a prepared model.
   *
   * @param dynamic whether products are computed with integers
   * @param largest weight integer: 127, or 64 for CPUs without VNNI
   */
  public static Result quantize(
      Graph prepared, boolean dynamic, int largest, Set<String> excluded) {
    Graph graph = prepared.copy();
    ValueTypes types = ValueTypes.of(graph);
    int products = 0;
    for (Node node : List.copyOf(graph.nodes())) {
      TensorProto weight = graph.weight(node.input(1));
      if (weight == null
          || excluded.contains(node.name())
          || excluded.contains(node.type())
          || !types.isFloat(node.input(0))
          || !isProduct(node, weight)) {
        continue;
      }
      int axis = node.is("Gemm") && node.intAttribute("transB", 0) == 1 ? 0 : 1;
      QuantizedWeights quantised = QuantizedWeights.of(weight, axis, largest, null, 1);
      if (dynamic) {
        dynamic(graph, node, quantised);
      } else {
        weightsOnly(graph, node, quantised);
      }
      products++;
    }
    graph.removeDead();
    return new Result(graph, products);
  }

  private static boolean isProduct(Node node, TensorProto weight) {
    return Weights.isFloat(weight)
        && weight.getDimsCount() == 2
        && (node.is("MatMul")
            || (node.is("Gemm")
                && node.intAttribute("transA", 0) == 0
                && node.floatAttribute("alpha", 1) == 1f
                && node.floatAttribute("beta", 1) == 1f));
  }

  private static void weightsOnly(Graph graph, Node node, QuantizedWeights weights) {
    String name = node.input(1);
    long[] channels = {weights.scales().length};
    String q = graph.addWeight(name + "_q", weights.tensor());
    String scale = graph.addWeight(name + "_scale", Weights.ofFloats(channels, weights.scales()));
    String zero =
        graph.addWeight(
            name + "_zero",
            Weights.raw(TensorProto.DataType.INT8, channels, new byte[weights.scales().length]));
    String real = graph.freshName(name + "_dq");
    graph
        .nodes()
        .add(
            new Node("DequantizeLinear", real, List.of(q, scale, zero), List.of(real))
                .with("axis", weights.axis()));
    node.inputs().set(1, real);
  }

  private static void dynamic(Graph graph, Node node, QuantizedWeights weights) {
    String base = node.name();
    String in = node.input(0);
    QuantizedWeights columns = weights.axis() == 0 ? weights.transposed() : weights;
    String q = graph.addWeight(node.input(1) + "_q", columns.tensor());
    String scale =
        graph.addWeight(
            node.input(1) + "_scale",
            Weights.ofFloats(new long[] {columns.scales().length}, columns.scales()));
    String zero =
        graph.addWeight(
            node.input(1) + "_zero", Weights.raw(TensorProto.DataType.INT8, new long[0], (byte) 0));
    List<String> quantised =
        List.of(
            graph.freshName(base + "_in_q"),
            graph.freshName(base + "_in_scale"),
            graph.freshName(base + "_in_zero"));
    String product = graph.freshName(base + "_product");
    String real = graph.freshName(base + "_product_float");
    String both = graph.freshName(base + "_scale");
    @Nullable String bias = node.input(2).isEmpty() ? null : node.input(2);
    String scaled = bias == null ? node.output() : graph.freshName(base + "_scaled");
    graph.nodes().remove(node);
    List<Node> nodes = graph.nodes();
    nodes.add(new Node("DynamicQuantizeLinear", base + "_quantize", List.of(in), quantised));
    nodes.add(
        new Node(
            "MatMulInteger",
            base + "_matmul",
            List.of(quantised.get(0), q, quantised.get(2), zero),
            List.of(product)));
    nodes.add(
        new Node("Cast", base + "_cast", List.of(product), List.of(real))
            .with("to", TensorProto.DataType.FLOAT.getNumber()));
    nodes.add(new Node("Mul", base + "_scales", List.of(quantised.get(1), scale), List.of(both)));
    nodes.add(new Node("Mul", base + "_rescale", List.of(real, both), List.of(scaled)));
    if (bias != null) {
      nodes.add(new Node("Add", base + "_bias", List.of(scaled, bias), node.outputs()));
    }
  }
}
