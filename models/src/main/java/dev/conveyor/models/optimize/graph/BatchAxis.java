package dev.conveyor.models.optimize.graph;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.onnx.OnnxSession;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.onnx.proto.TensorShapeProto;
import dev.conveyor.models.onnx.proto.ValueInfoProto;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Makes the first dimension of inputs and outputs dynamic where it is fixed to one. Stateless.
 *
 * <p>Reshapes that write down the one are made to copy it. Whether the model then really treats the
 * items of a batch apart is tried: two items together must give what each gives alone, or
 * everything stays as it was.
 */
final class BatchAxis {

  private static final double TOLERANCE = 1e-3;

  private BatchAxis() {}

  /** What became of the batch axis, in words for the report. */
  record Outcome(Graph graph, String note) {}

  static Outcome apply(Graph graph) {
    if (graph.inputs().stream().noneMatch(BatchAxis::isOne)) {
      return new Outcome(graph, "");
    }
    Graph changed = graph.copy();
    changed.inputs().replaceAll(BatchAxis::dynamic);
    changed.outputs().replaceAll(BatchAxis::dynamic);
    for (Node node : changed.nodes()) {
      if (node.is("Reshape")) {
        copyFirst(changed, node);
      }
    }
    try {
      if (behaves(graph, changed)) {
        return new Outcome(changed, "batch axis made dynamic");
      }
      return new Outcome(graph, "batch axis stays fixed: items of a batch influence each other");
    } catch (RuntimeException e) {
      String why = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
      return new Outcome(graph, "batch axis stays fixed: a batch of two cannot be run: " + why);
    }
  }

  private static boolean isOne(ValueInfoProto value) {
    TensorShapeProto shape = value.getType().getTensorType().getShape();
    return shape.getDimCount() > 0 && shape.getDim(0).getDimValue() == 1;
  }

  private static ValueInfoProto dynamic(ValueInfoProto value) {
    if (!isOne(value)) {
      return value;
    }
    ValueInfoProto.Builder changed = value.toBuilder();
    changed
        .getTypeBuilder()
        .getTensorTypeBuilder()
        .getShapeBuilder()
        .setDim(0, TensorShapeProto.Dimension.newBuilder().setDimParam("batch"));
    return changed.build();
  }

  private static void copyFirst(Graph graph, Node reshape) {
    TensorProto target = graph.weight(reshape.input(1));
    if (target != null && reshape.intAttribute("allowzero", 0) == 0) {
      long[] dims = Weights.longs(target);
      if (dims.length > 0 && dims[0] == 1) {
        dims[0] = 0;
        reshape
            .inputs()
            .set(1, graph.addWeight(reshape.input(1) + "_batched", Weights.ofLongs(dims)));
      }
    }
  }

  private static boolean behaves(Graph before, Graph after) {
    try (OnnxSession single = open(before);
        OnnxSession batched = open(after)) {
      Random random = new Random(7);
      List<Tensor> first = items(single.inputs(), random);
      List<Tensor> second = items(single.inputs(), random);
      List<Tensor> both = new ArrayList<>();
      for (int i = 0; i < first.size(); i++) {
        Tensor tensor = first.get(i);
        float[] values = concat(Weights.floats(tensor), Weights.floats(second.get(i)));
        both.add(Weights.tensor(tensor.name(), tensor.shape().withFirst(2), values));
      }
      List<Tensor> together = batched.run(both);
      List<Tensor> one = single.run(first);
      List<Tensor> other = single.run(second);
      for (int o = 0; o < together.size(); o++) {
        if (together.get(o).type() != DataType.FP32
            || !close(
                Weights.floats(together.get(o)),
                concat(Weights.floats(one.get(o)), Weights.floats(other.get(o))))) {
          return false;
        }
      }
      return true;
    }
  }

  private static OnnxSession open(Graph graph) {
    return new OnnxSession("model", graph.toModel().toByteArray(), OnnxSession.Options.asWritten());
  }

  private static List<Tensor> items(List<TensorSpec> specs, Random random) {
    List<Tensor> items = new ArrayList<>();
    for (TensorSpec spec : specs) {
      if (spec.type() != DataType.FP32 || !spec.shape().isStatic()) {
        throw new IllegalStateException(spec.name() + " is not a fixed number of FP32 values");
      }
      Shape shape = spec.shape();
      float[] values = new float[Math.toIntExact(shape.elements())];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      items.add(Weights.tensor(spec.name(), shape, values));
    }
    return items;
  }

  private static float[] concat(float[] a, float[] b) {
    float[] both = new float[a.length + b.length];
    System.arraycopy(a, 0, both, 0, a.length);
    System.arraycopy(b, 0, both, a.length, b.length);
    return both;
  }

  private static boolean close(float[] a, float[] b) {
    if (a.length != b.length) {
      return false;
    }
    for (int i = 0; i < a.length; i++) {
      if (!(Math.abs(a[i] - b[i]) <= TOLERANCE * Math.max(1, Math.abs(b[i])))) {
        return false;
      }
    }
    return true;
  }
}
