package dev.conveyor.models.optimize.graph;

import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.onnx.OnnxSession;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.onnx.proto.ValueInfoProto;
import dev.conveyor.models.optimize.OptimizeException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Computes what does not depend on the inputs, once, here. Stateless.
 *
 * <p>The constant nodes become a model of their own, without inputs, which ONNX Runtime runs; so
 * every operator can be folded, and gives what it would give at run time.
 */
final class ConstantFolding {

  private static final String[] KEPT = {
    // Random, or the very form that a quantised weight must keep.
    "RandomNormal",
    "RandomUniform",
    "RandomNormalLike",
    "RandomUniformLike",
    "Bernoulli",
    "Multinomial",
    "DequantizeLinear",
    "QuantizeLinear"
  };

  private ConstantFolding() {}

  /** Folds and returns the number of nodes that are gone. */
  static int apply(Graph graph) {
    List<Node> constant = new ArrayList<>();
    Set<String> known = new HashSet<>(graph.weights().keySet());
    known.add("");
    graph.toModel();
    for (Node node : graph.nodes()) {
      if (!node.is(KEPT) && !node.hasSubgraph() && known.containsAll(node.inputs())) {
        constant.add(node);
        known.addAll(node.outputs());
      }
    }
    if (constant.isEmpty()) {
      return 0;
    }
    Set<String> made = new LinkedHashSet<>();
    constant.forEach(n -> made.addAll(n.outputs()));
    Set<Node> gone = new HashSet<>(constant);
    Set<String> wanted = new LinkedHashSet<>();
    graph.nodes().stream()
        .filter(n -> !gone.contains(n))
        .flatMap(n -> n.inputs().stream())
        .filter(i -> !i.isEmpty() && made.contains(i))
        .forEach(wanted::add);
    graph.pinned().stream().filter(made::contains).forEach(wanted::add);
    if (!wanted.isEmpty()) {
      evaluate(graph, constant, wanted);
    }
    graph.nodes().removeAll(constant);
    graph.removeDead();
    return constant.size();
  }

  private static void evaluate(Graph graph, List<Node> constant, Set<String> wanted) {
    Graph part = graph.copy();
    part.nodes().clear();
    part.nodes().addAll(constant);
    part.inputs().clear();
    part.outputs().clear();
    wanted.forEach(w -> part.outputs().add(ValueInfoProto.newBuilder().setName(w).build()));
    part.removeDead();
    try (OnnxSession session =
        new OnnxSession(
            "constants", part.toModel().toByteArray(), OnnxSession.Options.asWritten())) {
      for (Tensor value : session.run(List.of())) {
        TensorProto weight =
            Weights.of(value)
                .orElseThrow(
                    () -> new OptimizeException("a constant cannot be of type " + value.type()));
        graph.weights().put(value.name(), weight);
      }
    } catch (ModelLoadException | ExecutionException e) {
      throw new OptimizeException("the constants cannot be computed: " + e.getMessage(), e);
    }
  }

  /** Makes shapes that are known before the run constants; what depends on them may fold then. */
  static void foldShapes(Graph graph) {
    if (graph.nodes().stream().noneMatch(n -> n.is("Shape"))) {
      return;
    }
    ValueTypes types = ValueTypes.of(graph);
    for (Node node : List.copyOf(graph.nodes())) {
      Shape shape = types.shape(node.input(0));
      TensorProto weight = graph.weight(node.input(0));
      if (weight != null) {
        shape = Shape.of(Weights.dims(weight));
      }
      if (node.is("Shape") && node.attributes().isEmpty() && shape != null && shape.isStatic()) {
        graph.weights().put(node.output(), Weights.ofLongs(shape.toArray()));
        graph.nodes().remove(node);
      }
    }
  }
}
