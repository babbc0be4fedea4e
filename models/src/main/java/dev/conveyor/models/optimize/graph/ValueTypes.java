package dev.conveyor.models.optimize.graph;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.onnx.OnnxSession;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.ValueInfoProto;
import dev.conveyor.models.optimize.OptimizeException;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The element types and shapes of the values in a graph. Immutable.
 *
 * <p>Inferred by ONNX Runtime, which knows every operator it can run: the model is opened, not
 * optimised, with the values in question as outputs of unspecified type.
 */
public final class ValueTypes {

  private final Map<String, TensorSpec> specs = new HashMap<>();

  private ValueTypes() {}

  /**
   * Infers all values of a graph.
   *
   * @throws OptimizeException if ONNX Runtime refuses the model
   */
  public static ValueTypes of(Graph graph) {
    Set<String> all = new LinkedHashSet<>();
    graph.nodes().forEach(n -> all.addAll(n.outputs()));
    all.remove("");
    ValueTypes types = new ValueTypes();
    ModelProto model = withOutputs(graph, all);
    try (OnnxSession session =
        new OnnxSession("model", model.toByteArray(), OnnxSession.Options.asWritten())) {
      session.inputs().forEach(spec -> types.specs.put(spec.name(), spec));
      session.outputs().forEach(spec -> types.specs.put(spec.name(), spec));
    } catch (ModelLoadException e) {
      throw new OptimizeException("ONNX Runtime cannot open the model: " + e.getMessage(), e);
    }
    return types;
  }

  /** Returns the model with more of its values as outputs, after its own. */
  public static ModelProto withOutputs(Graph graph, Collection<String> values) {
    ModelProto model = graph.toModel();
    Set<String> known = new HashSet<>();
    graph.outputs().forEach(o -> known.add(o.getName()));
    ModelProto.Builder more = model.toBuilder();
    for (String value : values) {
      if (known.add(value)) {
        more.getGraphBuilder().addOutput(ValueInfoProto.newBuilder().setName(value));
      }
    }
    return more.build();
  }

  /** Returns null for a value that the graph does not have. */
  public @Nullable TensorSpec spec(String value) {
    return specs.get(value);
  }

  public boolean isFloat(String value) {
    TensorSpec spec = specs.get(value);
    return spec != null && spec.type() == DataType.FP32;
  }

  /** Returns null if it is not known. */
  public @Nullable Shape shape(String value) {
    TensorSpec spec = specs.get(value);
    return spec == null ? null : spec.shape();
  }
}
