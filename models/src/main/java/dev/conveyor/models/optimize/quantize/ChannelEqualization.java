package dev.conveyor.models.optimize.quantize;

import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Brings the channels between a convolution and the depthwise convolutions after it to one range,
 * so that all use the 256 levels that they share. What a channel is multiplied with is divided out
 * of the next weights, which have a scale per channel anyway: the model computes the same.
 *
 * <p>Cross-layer equalisation (Nagel et al., ICCV 2019, section 4.1) for the pairs where it costs
 * the second layer nothing; where the second mixes channels, it did more harm than good. Stateless.
 */
public final class ChannelEqualization {

  /** A channel that was quiet on the data may be louder elsewhere, and would be cut off. */
  private static final float MOST = 16;

  private final Graph graph;
  private final Map<String, List<Node>> consumers;
  private final Set<String> pinned;

  private ChannelEqualization(Graph graph) {
    this.graph = graph;
    this.consumers = graph.consumers();
    this.pinned = graph.pinned();
  }

  /** Returns the values whose channels can be equalised. */
  public static Set<String> values(Graph graph) {
    return new ChannelEqualization(graph).makers().keySet();
  }

  /**
   * Equalises in place.
   *
   * @param seen has observed the {@link #values}
   * @return how many values were equalised
   */
  public static int apply(Graph graph, Observations seen) {
    ChannelEqualization equalization = new ChannelEqualization(graph);
    Map<String, float[]> largest = new HashMap<>();
    Map<String, Node> makers = equalization.makers();
    makers.keySet().forEach(value -> largest.put(value, seen.channelLargest(value)));
    makers.forEach((value, maker) -> equalization.scale(value, maker, largest));
    graph.removeDead();
    return makers.size();
  }

  private Map<String, Node> makers() {
    Map<String, Node> makers = new LinkedHashMap<>();
    for (Node node : graph.nodes()) {
      if (node.is("Conv") && isConstant(node)) {
        List<Node> readers = consumers.getOrDefault(node.output(), List.of());
        boolean rectified = readers.size() == 1 && readers.get(0).is("Relu");
        String value = rectified ? readers.get(0).output() : node.output();
        List<Node> next = consumers.getOrDefault(value, List.of());
        if (!pinned.contains(node.output())
            && !pinned.contains(value)
            && !next.isEmpty()
            && next.stream().allMatch(n -> isDepthwise(n) && n.input(0).equals(value))) {
          makers.put(value, node);
        }
      }
    }
    return makers;
  }

  private boolean isConstant(Node conv) {
    TensorProto weight = graph.weight(conv.input(1));
    TensorProto bias = graph.weight(conv.input(2));
    return weight != null
        && Weights.isFloat(weight)
        && (conv.input(2).isEmpty() || (bias != null && Weights.isFloat(bias)));
  }

  private boolean isDepthwise(Node node) {
    TensorProto weight = node.is("Conv") ? graph.weight(node.input(1)) : null;
    return weight != null
        && Weights.isFloat(weight)
        && weight.getDims(1) == 1
        && weight.getDims(0) == node.intAttribute("group", 1);
  }

  private void scale(String value, Node maker, Map<String, float[]> seen) {
    float[] largest = seen.getOrDefault(value, new float[0]);
    TensorProto weight = graph.weight(maker.input(1));
    if (weight == null || largest.length != weight.getDims(0)) {
      return;
    }
    float top = 0;
    for (float one : largest) {
      top = Math.max(top, one);
    }
    float[] up = new float[largest.length];
    float[] down = new float[largest.length];
    for (int c = 0; c < up.length; c++) {
      // A power of two, so that not even the float model changes.
      float wanted = largest[c] > 0 ? Math.min(MOST, top / largest[c]) : MOST;
      up[c] = (float) Math.scalb(1.0, Math.getExponent(wanted));
      down[c] = 1 / up[c];
    }
    replace(maker, 1, up);
    if (!maker.input(2).isEmpty()) {
      replace(maker, 2, up);
    }
    consumers.getOrDefault(value, List.of()).forEach(reader -> replace(reader, 1, down));
  }

  /** Multiplies what belongs to each output channel of a weight or bias. */
  private void replace(Node node, int operand, float[] factors) {
    String name = node.input(operand);
    TensorProto tensor = graph.weight(name);
    if (tensor == null) {
      throw new IllegalStateException(node + " has no constant '" + name + "'");
    }
    float[] values = Weights.floats(tensor);
    int each = values.length / factors.length;
    for (int i = 0; i < values.length; i++) {
      values[i] *= factors[i / each];
    }
    node.inputs()
        .set(operand, graph.addWeight(name, Weights.ofFloats(Weights.dims(tensor), values)));
  }
}
