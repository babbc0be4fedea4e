package dev.conveyor.models.optimize.precision;

import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.onnx.proto.ValueInfoProto;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The layers that read a model's inputs. Rounding their inputs to FP16 is an error that every later
 * layer passes on, and they hold few weights, so that leaving them in float may cost next to
 * nothing. Stateless.
 */
public final class HalfStem {

  /** Part of all weights above which layers are not worth keeping in float. */
  static final double MOST_WEIGHTS = 0.01;

  /** A quarter off the noise's amplitude. */
  private static final double LEAST_GAIN_DB = 2.5;

  private HalfStem() {}

  /** Returns their names; none if together they hold more than a hundredth of the weights. */
  public static Set<String> of(Graph graph) {
    Set<String> inputs = new HashSet<>();
    for (ValueInfoProto input : graph.inputs()) {
      inputs.add(input.getName());
    }
    Set<String> stem = new LinkedHashSet<>();
    long held = 0;
    for (Node node : graph.nodes()) {
      if (node.is("Conv", "Gemm", "MatMul") && inputs.contains(node.input(0))) {
        stem.add(node.name());
        held += node.inputs().stream().mapToLong(name -> elements(graph.weight(name))).sum();
      }
    }
    long all = graph.weights().values().stream().mapToLong(HalfStem::elements).sum();
    return held <= MOST_WEIGHTS * all ? stem : Set.of();
  }

  /**
   * Says whether the outputs gain enough with the stem in float. Of signal and noise over all
   * numbers, since the worst of a few items says little about the worst of many.
   */
  public static boolean isWorthKeeping(double sqnrDbWithout, double sqnrDbWith) {
    return sqnrDbWith - sqnrDbWithout >= LEAST_GAIN_DB;
  }

  private static long elements(@Nullable TensorProto weight) {
    long elements = weight == null ? 0 : 1;
    if (weight != null) {
      for (long dim : weight.getDimsList()) {
        elements *= dim;
      }
    }
    return elements;
  }
}
