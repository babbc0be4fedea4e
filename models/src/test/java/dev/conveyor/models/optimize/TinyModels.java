package dev.conveyor.models.optimize;

import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.onnx.OnnxSession;
import dev.conveyor.models.onnx.proto.AttributeProto;
import dev.conveyor.models.onnx.proto.GraphProto;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.NodeProto;
import dev.conveyor.models.onnx.proto.OperatorSetIdProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.onnx.proto.TensorShapeProto;
import dev.conveyor.models.onnx.proto.TypeProto;
import dev.conveyor.models.onnx.proto.ValueInfoProto;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.Sample;
import dev.conveyor.models.optimize.data.Truth;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.OnnxFile;
import dev.conveyor.models.optimize.graph.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Builds small models, node by node, and runs them. */
public final class TinyModels {

  private final GraphProto.Builder graph = GraphProto.newBuilder().setName("tiny");
  private final int opset;
  private final Random random = new Random(3);

  private TinyModels(int opset) {
    this.opset = opset;
  }

  public static TinyModels opset(int opset) {
    return new TinyModels(opset);
  }

  /** Adds an FP32 input; -1 is the batch. */
  public TinyModels input(String name, long... dims) {
    graph.addInput(value(name, dims));
    return this;
  }

  public TinyModels output(String name, long... dims) {
    graph.addOutput(value(name, dims));
    return this;
  }

  public TinyModels weight(String name, TensorProto tensor) {
    graph.addInitializer(tensor.toBuilder().setName(name));
    return this;
  }

  /** Adds normally distributed weights. */
  public TinyModels weight(String name, double deviation, long... dims) {
    float[] values = new float[(int) Shape.of(dims).elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() * deviation);
    }
    return weight(name, Weights.ofFloats(dims, values));
  }

  /** Adds a node, {@code inputs} and {@code outputs} separated by commas. */
  public TinyModels node(String type, String inputs, String outputs, AttributeProto... attributes) {
    graph.addNode(
        NodeProto.newBuilder()
            .setOpType(type)
            .setName(outputs + "_node")
            .addAllInput(Arrays.asList(inputs.split(",")))
            .addAllOutput(Arrays.asList(outputs.split(",")))
            .addAllAttribute(Arrays.asList(attributes)));
    return this;
  }

  public static AttributeProto ints(String name, long... values) {
    AttributeProto.Builder attribute =
        AttributeProto.newBuilder().setName(name).setType(AttributeProto.AttributeType.INTS);
    for (long value : values) {
      attribute.addInts(value);
    }
    return attribute.build();
  }

  public static AttributeProto integer(String name, long value) {
    return AttributeProto.newBuilder()
        .setName(name)
        .setType(AttributeProto.AttributeType.INT)
        .setI(value)
        .build();
  }

  public ModelProto model() {
    return ModelProto.newBuilder()
        .setIrVersion(opset >= 12 ? 7 : 4)
        .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(opset))
        .setGraph(graph)
        .build();
  }

  public Graph graph() {
    return Graph.of(model());
  }

  private static ValueInfoProto value(String name, long... dims) {
    TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
    for (long dim : dims) {
      TensorShapeProto.Dimension.Builder one = shape.addDimBuilder();
      if (dim < 0) {
        one.setDimParam("batch");
      } else {
        one.setDimValue(dim);
      }
    }
    return ValueInfoProto.newBuilder()
        .setName(name)
        .setType(
            TypeProto.newBuilder()
                .setTensorType(
                    TypeProto.Tensor.newBuilder()
                        .setElemType(TensorProto.DataType.FLOAT.getNumber())
                        .setShape(shape)))
        .build();
  }

  /** A small classifier: two convolutions with a shortcut, pooling, a product, softmax. */
  public static TinyModels classifier() {
    return opset(13)
        .input("image", -1, 4, 8, 8)
        .output("scores", -1, 3)
        .weight("w1", 0.2, 8, 4, 3, 3)
        .weight("b1", 0.1, 8)
        .weight("w2", 0.15, 8, 8, 3, 3)
        .weight("b2", 0.1, 8)
        .weight("w3", 0.4, 3, 8)
        .weight("b3", 0.1, 3)
        .node("Conv", "image,w1,b1", "c1", ints("pads", 1, 1, 1, 1))
        .node("Relu", "c1", "r1")
        .node("Conv", "r1,w2,b2", "c2", ints("pads", 1, 1, 1, 1))
        .node("Add", "c2,r1", "a2")
        .node("Relu", "a2", "r2")
        .node("GlobalAveragePool", "r2", "p")
        .node("Flatten", "p", "f")
        .node("Gemm", "f,w3,b3", "g", integer("transB", 1))
        .node("Softmax", "g", "scores", integer("axis", 1));
  }

  /** Random items for a model with one input. */
  public static DataSet data(String input, int items, long... dims) {
    return new DataSet() {
      @Override
      public int size() {
        return items;
      }

      @Override
      public Sample sample(int index) {
        return new Sample(
            "item " + index, List.of(item(input, index, dims)), new Truth(-1, null, null));
      }
    };
  }

  public static Tensor item(String input, int seed, long... dims) {
    Random random = new Random(seed);
    float[] values = new float[(int) Shape.of(dims).elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Weights.tensor(input, Shape.of(dims), values);
  }

  /** Runs a model and returns its first output. */
  public static float[] run(ModelProto model, Tensor... inputs) {
    try (OnnxSession session =
        new OnnxSession("tiny", model.toByteArray(), OnnxSession.Options.threads(1))) {
      return Weights.floats(session.run(new ArrayList<>(List.of(inputs))).get(0));
    }
  }

  /** Returns the operators that ONNX Runtime really runs, in order. */
  public static List<String> optimised(ModelProto model, Path scratch) {
    new OnnxSession("tiny", model.toByteArray(), new OnnxSession.Options(1, true, scratch)).close();
    return OnnxFile.read(scratch).getGraph().getNodeList().stream()
        .map(NodeProto::getOpType)
        .toList();
  }
}
