package dev.conveyor.models.optimize.sparsity;

import dev.conveyor.models.Shape;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import dev.conveyor.models.optimize.graph.ValueTypes;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Takes away the output channels of convolutions whose filters have the smallest sum of magnitudes
 * (Li et al., arXiv 1608.08710), and what reads them. Not thread-safe: one object, one model.
 *
 * <p>Only where every way from the convolution leads through operators that treat channels apart to
 * plain convolutions, or through global pooling to a Gemm; channels that are added or concatenated
 * stay.
 */
public final class ChannelPruning {

  /** What kernels like: counts of channels stay multiples of it. */
  private static final int MULTIPLE = 8;

  private static final String[] CHANNELWISE = {
    "Relu",
    "LeakyRelu",
    "Sigmoid",
    "Clip",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool"
  };

  private final Graph graph;
  private final ValueTypes types;
  private final Map<String, List<Node>> consumers;
  private final Set<String> pinned;

  private ChannelPruning(Graph graph) {
    this.graph = graph;
    this.types = ValueTypes.of(graph);
    this.consumers = graph.consumers();
    this.pinned = graph.pinned();
  }

  /**
   * Prunes a copy of a prepared model.
   *
   * @param share of the channels of each layer to take away
   */
  public static Pruning.Result prune(Graph prepared, double share, Set<String> excluded) {
    ChannelPruning pruning = new ChannelPruning(prepared.copy());
    List<String> layers = new ArrayList<>();
    for (Node node : List.copyOf(pruning.graph.nodes())) {
      if (!excluded.contains(node.name())
          && !excluded.contains(node.type())
          && pruning.prune(node, share)) {
        layers.add(node.name());
      }
    }
    pruning.graph.removeDead();
    return new Pruning.Result(pruning.graph, layers);
  }

  private boolean prune(Node conv, double share) {
    TensorProto weight = graph.weight(conv.input(1));
    TensorProto bias = graph.weight(conv.input(2));
    if (!conv.is("Conv")
        || weight == null
        || !Weights.isFloat(weight)
        || (bias == null && !conv.input(2).isEmpty())
        || conv.intAttribute("group", 1) != 1) {
      return false;
    }
    int channels = (int) weight.getDims(0);
    int kept = (int) Math.ceil(channels * (1 - share) / MULTIPLE) * MULTIPLE;
    List<Node> readers = new ArrayList<>();
    if (kept >= channels || kept == 0 || !follow(conv.output(), readers)) {
      return false;
    }
    int[] keep = largest(weight, kept);
    set(conv, 1, take(weight, 0, keep));
    if (bias != null) {
      set(conv, 2, take(bias, 0, keep));
    }
    for (Node reader : readers) {
      TensorProto read = weightOf(reader);
      boolean rows = reader.is("Gemm") && reader.intAttribute("transB", 0) == 0;
      set(reader, 1, take(read, rows ? 0 : 1, keep));
    }
    return true;
  }

  /** Collects the layers that read a value's channels; false if something else does too. */
  private boolean follow(String value, List<Node> readers) {
    if (pinned.contains(value)) {
      return false;
    }
    for (Node node : consumers.getOrDefault(value, List.of())) {
      boolean ends =
          node.is("Conv")
              && node.intAttribute("group", 1) == 1
              && node.input(0).equals(value)
              && graph.weight(node.input(1)) != null;
      boolean product =
          node.is("Gemm")
              && node.input(0).equals(value)
              && node.intAttribute("transA", 0) == 0
              && graph.weight(node.input(1)) != null;
      if (ends || product) {
        readers.add(node);
      } else if (!(node.is(CHANNELWISE) || isPlainFlatten(node))
          || node.outputs().size() != 1
          || !follow(node.output(), readers)) {
        return false;
      }
    }
    return true;
  }

  private boolean isPlainFlatten(Node node) {
    Shape shape = types.shape(node.input(0));
    return node.is("Flatten")
        && node.intAttribute("axis", 1) == 1
        && shape != null
        && shape.rank() == 4
        && shape.dim(2) == 1
        && shape.dim(3) == 1;
  }

  private TensorProto weightOf(Node reader) {
    TensorProto weight = graph.weight(reader.input(1));
    if (weight == null) {
      throw new IllegalStateException(reader + " has no constant weight");
    }
    return weight;
  }

  /** A layer gets weights of its own, since others may share the old ones. */
  private void set(Node node, int index, TensorProto tensor) {
    node.inputs().set(index, graph.addWeight(node.input(index) + "_pruned", tensor));
  }

  private static int[] largest(TensorProto weight, int kept) {
    float[] values = Weights.floats(weight);
    int channels = (int) weight.getDims(0);
    int each = values.length / channels;
    double[] sums = new double[channels];
    for (int i = 0; i < values.length; i++) {
      sums[i / each] += Math.abs(values[i]);
    }
    return IntStream.range(0, channels)
        .boxed()
        .sorted(Comparator.comparingDouble((Integer c) -> -sums[c]))
        .limit(kept)
        .mapToInt(Integer::intValue)
        .sorted()
        .toArray();
  }

  private static TensorProto take(TensorProto tensor, int axis, int[] keep) {
    float[] values = Weights.floats(tensor);
    long[] dims = Weights.dims(tensor);
    int inner = 1;
    for (int i = axis + 1; i < dims.length; i++) {
      inner *= (int) dims[i];
    }
    int old = (int) dims[axis];
    int outer = values.length / Math.max(1, old * inner);
    float[] taken = new float[outer * keep.length * inner];
    for (int o = 0; o < outer; o++) {
      for (int k = 0; k < keep.length; k++) {
        System.arraycopy(
            values, (o * old + keep[k]) * inner, taken, (o * keep.length + k) * inner, inner);
      }
    }
    dims[axis] = keep.length;
    return Weights.ofFloats(dims, taken);
  }
}
