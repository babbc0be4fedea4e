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

  /** Worst relative error that is not looked into. */
  private static final double FINE = 5e-3;

  private static final double LEAST_GAIN = 0.75;

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

  /** Says whether an error is large enough to look for a smaller one. */
  public static boolean isWorthATry(double worstRelativeError) {
    return worstRelativeError > FINE;
  }

  /** Says whether the error without the stem in float is so much larger than with it. */
  public static boolean isWorthKeeping(double without, double with) {
    return with <= LEAST_GAIN * without;
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
