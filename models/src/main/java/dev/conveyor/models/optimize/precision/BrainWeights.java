package dev.conveyor.models.optimize.precision;

import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Stores a model's weights as BF16, each with a cast to FP32. Stateless.
 *
 * <p>What is computed stays FP32, because ONNX Runtime has no BF16 kernels for a CPU; the casts are
 * done once, when the model is loaded. BF16 has the range of FP32, so nothing can overflow.
 */
public final class BrainWeights {

  /** Below this the cast costs more bytes than it saves. */
  private static final int MIN_ELEMENTS = 64;

  private BrainWeights() {}

  /**
   * Converts a copy of a prepared model.
   *
   * @param keepInFloat nodes or operators whose weights are left alone
   */
  public static Graph convert(Graph prepared, Set<String> keepInFloat) {
    Graph graph = prepared.copy();
    Map<String, List<Node>> consumers = graph.consumers();
    for (Map.Entry<String, TensorProto> entry : List.copyOf(graph.weights().entrySet())) {
      TensorProto weight = entry.getValue();
      boolean keep =
          consumers.getOrDefault(entry.getKey(), List.of()).stream()
              .anyMatch(n -> keepInFloat.contains(n.name()) || keepInFloat.contains(n.type()));
      if (!keep && Weights.isFloat(weight) && Weights.elements(weight) >= MIN_ELEMENTS) {
        String stored =
            graph.addWeight(
                entry.getKey() + "_bf16",
                Weights.ofHalfs(true, Weights.dims(weight), Weights.floats(weight)));
        graph.weights().remove(entry.getKey());
        graph
            .nodes()
            .add(
                new Node("Cast", stored + "_cast", List.of(stored), List.of(entry.getKey()))
                    .with("to", TensorProto.DataType.FLOAT.getNumber()));
      }
    }
    return graph;
  }
}
