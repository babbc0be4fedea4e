package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.Shape;
import dev.conveyor.models.onnx.proto.AttributeProto;
import dev.conveyor.models.onnx.proto.AttributeProto.AttributeType;
import dev.conveyor.models.onnx.proto.GraphProto;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.NodeProto;
import dev.conveyor.models.onnx.proto.OperatorSetIdProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.onnx.proto.TensorShapeProto;
import dev.conveyor.models.onnx.proto.TypeProto;
import dev.conveyor.models.onnx.proto.ValueInfoProto;
import dev.conveyor.models.optimize.graph.OnnxFile;
import dev.conveyor.models.optimize.graph.Weights;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * Writes a network of the shape of ResNet-50 (He et al., "Deep Residual Learning for Image
 * Recognition", 2015; stride in the 3x3 convolution), without its batch normalisations, which are
 * folded into convolutions where such networks are served. The weights are random, so it is for
 * measuring: 25.5 million parameters, 4.1 billion multiplications per image. Not thread-safe.
 */
final class ResNetFile {

  private static final int OPSET = 13;
  private static final int IR_VERSION = 7;
  private static final int CLASSES = 1000;
  private static final int[] BLOCKS = {3, 4, 6, 3};

  /** Of the last convolution of a block: else what is added grows from block to block. */
  private static final double RESIDUAL_GAIN = 0.25;

  private final GraphProto.Builder graph = GraphProto.newBuilder().setName("resnet50_shaped");
  private final Random random = new Random(50);
  private int made;

  private ResNetFile() {}

  /** Writes it, 98 MiB, and returns {@code file}. */
  static Path write(Path file) {
    OnnxFile.write(file, new ResNetFile().model());
    return file;
  }

  private ModelProto model() {
    graph.addInput(value("image", "batch", 3, 224, 224));
    String x = relu(convolution("image", 3, 64, 7, 2, 1));
    x = node("MaxPool", List.of(x), ints("kernel_shape", 3, 3), ints("strides", 2, 2), pads(1));
    int channels = 64;
    for (int stage = 0; stage < BLOCKS.length; stage++) {
      int inner = 64 << stage;
      for (int block = 0; block < BLOCKS[stage]; block++) {
        int stride = stage > 0 && block == 0 ? 2 : 1;
        x = bottleneck(x, channels, inner, stride);
        channels = 4 * inner;
      }
    }
    x = node("GlobalAveragePool", List.of(x));
    x = node("Flatten", List.of(x));
    x = node("Gemm", List.of(x, weight(1.0 / channels, channels, CLASSES), weight(0.01, CLASSES)));
    graph.addNode(NodeProto.newBuilder().setOpType("Identity").addInput(x).addOutput("scores"));
    graph.addOutput(value("scores", "batch", CLASSES));
    return ModelProto.newBuilder()
        .setIrVersion(IR_VERSION)
        .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(OPSET))
        .setGraph(graph)
        .build();
  }

  private String bottleneck(String x, int channels, int inner, int stride) {
    String y = relu(convolution(x, channels, inner, 1, 1, 1));
    y = relu(convolution(y, inner, inner, 3, stride, 1));
    y = convolution(y, inner, 4 * inner, 1, 1, RESIDUAL_GAIN);
    String shortcut =
        channels == 4 * inner && stride == 1
            ? x
            : convolution(x, channels, 4 * inner, 1, stride, 1);
    return relu(node("Add", List.of(y, shortcut)));
  }

  /** Weights are as large as keeps the variance (He et al., 2015). */
  private String convolution(String x, int from, int to, int kernel, int stride, double gain) {
    double variance = gain * gain * 2.0 / ((double) from * kernel * kernel);
    return node(
        "Conv",
        List.of(x, weight(variance, to, from, kernel, kernel), weight(1e-4, to)),
        ints("kernel_shape", kernel, kernel),
        ints("strides", stride, stride),
        pads(kernel / 2));
  }

  private String relu(String x) {
    return node("Relu", List.of(x));
  }

  private String weight(double variance, long... dims) {
    float[] values = new float[Math.toIntExact(Shape.of(dims).elements())];
    double deviation = Math.sqrt(variance);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() * deviation);
    }
    String name = "w" + made++;
    TensorProto tensor = Weights.ofFloats(dims, values);
    graph.addInitializer(tensor.toBuilder().setName(name));
    return name;
  }

  private String node(String type, List<String> inputs, AttributeProto... attributes) {
    String output = "t" + made++;
    graph.addNode(
        NodeProto.newBuilder()
            .setOpType(type)
            .setName(output + "_" + type)
            .addAllInput(inputs)
            .addOutput(output)
            .addAllAttribute(Arrays.asList(attributes)));
    return output;
  }

  private static AttributeProto pads(long pad) {
    return ints("pads", pad, pad, pad, pad);
  }

  private static AttributeProto ints(String name, long... values) {
    AttributeProto.Builder attribute =
        AttributeProto.newBuilder().setName(name).setType(AttributeType.INTS);
    for (long value : values) {
      attribute.addInts(value);
    }
    return attribute.build();
  }

  private static ValueInfoProto value(String name, String batch, long... dims) {
    TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
    shape.addDimBuilder().setDimParam(batch);
    for (long dim : dims) {
      shape.addDimBuilder().setDimValue(dim);
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
}
