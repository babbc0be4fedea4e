package dev.conveyor.models.optimize.graph;

import dev.conveyor.models.onnx.proto.TensorProto;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Folds batch normalisation into the convolution before it. Stateless.
 *
 * <p>With {@code k = gamma / sqrt(variance + epsilon)}: weights of an output channel times its k,
 * bias {@code (bias - mean) * k + beta} (Jacob et al., arXiv 1712.05877, section 3.2).
 */
final class BatchNormFolding {

  private BatchNormFolding() {}

  /** Returns the number of normalisations that are gone. */
  static int apply(Graph graph) {
    int folded = 0;
    for (Node norm : List.copyOf(graph.nodes())) {
      if (!norm.is("BatchNormalization") || norm.outputs().size() > 1) {
        continue;
      }
      Map<String, Node> producers = graph.producers();
      Map<String, List<Node>> consumers = graph.consumers();
      Set<String> pinned = graph.pinned();
      Node conv = producers.get(norm.input(0));
      if (conv != null
          && conv.is("Conv")
          && !pinned.contains(conv.output())
          && consumers.getOrDefault(conv.output(), List.of()).size() == 1
          && fold(graph, conv, norm)) {
        folded++;
      }
    }
    graph.removeDead();
    return folded;
  }

  private static boolean fold(Graph graph, Node conv, Node norm) {
    float[] gamma = floats(graph, norm.input(1));
    float[] beta = floats(graph, norm.input(2));
    float[] mean = floats(graph, norm.input(3));
    float[] variance = floats(graph, norm.input(4));
    TensorProto weight = graph.weight(conv.input(1));
    if (gamma == null
        || beta == null
        || mean == null
        || variance == null
        || weight == null
        || !Weights.isFloat(weight)) {
      return false;
    }
    float[] bias = conv.input(2).isEmpty() ? new float[gamma.length] : floats(graph, conv.input(2));
    if (bias == null) {
      return false;
    }
    float[] values = Weights.floats(weight);
    int perChannel = values.length / gamma.length;
    double epsilon = norm.floatAttribute("epsilon", 1e-5f);
    float[] newBias = new float[gamma.length];
    for (int c = 0; c < gamma.length; c++) {
      double k = gamma[c] / Math.sqrt(variance[c] + epsilon);
      for (int i = c * perChannel; i < (c + 1) * perChannel; i++) {
        values[i] = (float) (values[i] * k);
      }
      newBias[c] = (float) ((bias[c] - mean[c]) * k + beta[c]);
    }
    String w =
        graph.addWeight(conv.input(1) + "_folded", Weights.ofFloats(Weights.dims(weight), values));
    String b =
        graph.addWeight(
            conv.name() + "_bias", Weights.ofFloats(new long[] {newBias.length}, newBias));
    graph
        .nodes()
        .set(
            graph.nodes().indexOf(conv),
            conv.as("Conv", List.of(conv.input(0), w, b), norm.outputs()));
    graph.nodes().remove(norm);
    return true;
  }

  private static float @Nullable [] floats(Graph graph, String name) {
    TensorProto tensor = graph.weight(name);
    return tensor == null || !Weights.isFloat(tensor) ? null : Weights.floats(tensor);
  }
}
