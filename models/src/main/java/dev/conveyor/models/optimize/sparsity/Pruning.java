package dev.conveyor.models.optimize.sparsity;

import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Prunes weights by magnitude. Stateless.
 *
 * <p>2:4: of every four weights in a row along the input channels the two smallest become zero,
 * which is the pattern that sparse tensor cores skip (Mishra et al., arXiv 2104.08378). Layers
 * whose input channels are no multiple of four, and grouped convolutions, are not eligible.
 */
public final class Pruning {

  private static final int GROUP = 4;

  private Pruning() {}

  /**
   * A pruned model.
   *
   * @param layers names of the layers that were pruned
   */
  public record Result(Graph graph, List<String> layers) {
    public Result {
      layers = List.copyOf(layers);
    }
  }

  /** Prunes a copy of a prepared model to two of four. */
  public static Result twoOfFour(Graph prepared, Set<String> excluded) {
    Graph graph = prepared.copy();
    List<String> layers = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (!excluded.contains(node.name())
          && !excluded.contains(node.type())
          && eligible(graph, node)) {
        TensorProto weight = weight(graph, node);
        float[] values = Weights.floats(weight);
        Rows rows = Rows.of(node, weight);
        for (int group = 0; group < rows.groups(); group++) {
          dropSmallest(values, rows, group);
        }
        graph.weights().put(node.input(1), Weights.ofFloats(Weights.dims(weight), values));
        layers.add(node.name());
      }
    }
    return new Result(graph, layers);
  }

  /** Returns the names of the layers that sparse tensor cores could take. */
  public static List<String> eligible(Graph graph) {
    return graph.nodes().stream().filter(n -> eligible(graph, n)).map(Node::name).toList();
  }

  /** Returns the names of the layers of which no four neighbours have more than two non-zeros. */
  public static List<String> verified(Graph graph) {
    List<String> layers = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (eligible(graph, node)) {
        TensorProto weight = weight(graph, node);
        float[] values = Weights.floats(weight);
        Rows rows = Rows.of(node, weight);
        boolean all = true;
        for (int group = 0; group < rows.groups(); group++) {
          int set = 0;
          for (int i = 0; i < GROUP; i++) {
            set += values[rows.at(group, i)] != 0 ? 1 : 0;
          }
          all &= set <= GROUP / 2;
        }
        if (all) {
          layers.add(node.name());
        }
      }
    }
    return layers;
  }

  /** Sets the given share of the weights of every layer to zero, the smallest ones. */
  public static Result unstructured(Graph prepared, double share, Set<String> excluded) {
    Graph graph = prepared.copy();
    Set<String> pruned = new LinkedHashSet<>();
    List<String> layers = new ArrayList<>();
    for (Node node : graph.nodes()) {
      TensorProto weight = graph.weight(node.input(1));
      if (weight != null
          && node.is("Conv", "Gemm", "MatMul")
          && Weights.isFloat(weight)
          && weight.getDimsCount() >= 2
          && !excluded.contains(node.name())
          && !excluded.contains(node.type())
          && pruned.add(node.input(1))) {
        float[] values = Weights.floats(weight);
        float[] sorted = new float[values.length];
        for (int i = 0; i < values.length; i++) {
          sorted[i] = Math.abs(values[i]);
        }
        Arrays.sort(sorted);
        int count = (int) (share * values.length);
        float threshold = count == 0 ? -1 : sorted[count - 1];
        for (int i = 0; i < values.length; i++) {
          values[i] = Math.abs(values[i]) <= threshold ? 0 : values[i];
        }
        graph.weights().put(node.input(1), Weights.ofFloats(Weights.dims(weight), values));
        layers.add(node.name());
      }
    }
    return new Result(graph, layers);
  }

  private static void dropSmallest(float[] values, Rows rows, int group) {
    for (int drop = 0; drop < GROUP / 2; drop++) {
      int smallest = -1;
      for (int i = 0; i < GROUP; i++) {
        int at = rows.at(group, i);
        if (values[at] != 0
            && (smallest < 0 || Math.abs(values[at]) < Math.abs(values[smallest]))) {
          smallest = at;
        }
      }
      int zeros = 0;
      for (int i = 0; i < GROUP; i++) {
        zeros += values[rows.at(group, i)] == 0 ? 1 : 0;
      }
      if (smallest >= 0 && zeros < GROUP / 2) {
        values[smallest] = 0;
      }
    }
  }

  private static boolean eligible(Graph graph, Node node) {
    TensorProto weight = graph.weight(node.input(1));
    if (weight == null || !Weights.isFloat(weight) || node.inputs().isEmpty()) {
      return false;
    }
    boolean product = node.is("Gemm", "MatMul") && weight.getDimsCount() == 2;
    boolean conv =
        node.is("Conv") && weight.getDimsCount() >= 3 && node.intAttribute("group", 1) == 1;
    return (product || conv) && Rows.of(node, weight).inputs() % GROUP == 0;
  }

  private static TensorProto weight(Graph graph, Node node) {
    TensorProto weight = graph.weight(node.input(1));
    if (weight == null) {
      throw new IllegalStateException(node + " has no constant weight");
    }
    return weight;
  }

  /**
   * How a weight tensor is cut into rows along the input channels.
   *
   * @param inputs input channels
   * @param step between neighbouring input channels
   * @param rows outputs times kernel positions
   * @param inner kernel positions, or 1
   */
  private record Rows(int inputs, int step, int rows, int inner, boolean inputsFirst) {

    static Rows of(Node node, TensorProto weight) {
      long[] dims = Weights.dims(weight);
      int total = Weights.elements(weight);
      boolean inputsFirst =
          node.is("MatMul") || (node.is("Gemm") && node.intAttribute("transB", 0) == 0);
      int inputs = (int) dims[inputsFirst ? 0 : 1];
      int inner = 1;
      for (int i = 2; i < dims.length; i++) {
        inner *= (int) dims[i];
      }
      int step = inputsFirst ? (int) dims[1] : inner;
      return new Rows(inputs, step, total / Math.max(1, inputs), inner, inputsFirst);
    }

    int groups() {
      return rows * (inputs / GROUP);
    }

    int at(int group, int index) {
      int perRow = inputs / GROUP;
      int row = group / perRow;
      int channel = group % perRow * GROUP + index;
      int start = inputsFirst ? row : row / inner * inner * inputs + row % inner;
      return start + channel * step;
    }
  }
}
