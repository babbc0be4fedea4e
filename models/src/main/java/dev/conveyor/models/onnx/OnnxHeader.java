package dev.conveyor.models.onnx;

import static dev.conveyor.models.onnx.ProtoFields.nested;

import com.google.protobuf.CodedInputStream;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Declared;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads what a model takes and gives from its file without loading it: weights are skipped, so that
 * a file of any size takes milliseconds and no memory. Thread-safe: no state.
 *
 * <p>Field numbers are those of onnx.proto. Says nothing where the file does not say it all: an
 * output without a type or shape, which only loading infers, or a value that is no tensor.
 */
final class OnnxHeader {

  private static final int GRAPH = 7; // ModelProto
  private static final int INITIALIZER = 5; // GraphProto
  private static final int INPUT = 11;
  private static final int OUTPUT = 12;
  private static final int SPARSE_INITIALIZER = 15;
  private static final int TENSOR_NAME = 8; // TensorProto
  private static final int SPARSE_VALUES = 1; // SparseTensorProto
  private static final int NAME = 1; // ValueInfoProto
  private static final int TYPE = 2;
  private static final int TENSOR_TYPE = 1; // TypeProto
  private static final int ELEMENT_TYPE = 1; // TypeProto.Tensor
  private static final int SHAPE = 2;
  private static final int DIM = 1; // TensorShapeProto
  private static final int DIM_VALUE = 1; // TensorShapeProto.Dimension

  private record Value(String name, Optional<TensorSpec> spec) {}

  private static final class Graph {
    private final List<Value> inputs = new ArrayList<>();
    private final List<Value> outputs = new ArrayList<>();
    private final Set<String> initializers = new HashSet<>();
  }

  private OnnxHeader() {}

  /** Returns what the file declares; empty if it does not say it all or is not a model. */
  static Optional<Declared> read(Path file) {
    Graph graph = new Graph();
    try {
      ProtoFields.read(file, (field, model) -> field == GRAPH && nested(model, graphFields(graph)));
    } catch (IOException e) {
      return Optional.empty();
    }
    // Up to IR version 3 weights are inputs, too.
    graph.inputs.removeIf(input -> graph.initializers.contains(input.name()));
    if (graph.outputs.isEmpty()
        || graph.inputs.stream().anyMatch(value -> value.spec().isEmpty())
        || graph.outputs.stream().anyMatch(value -> value.spec().isEmpty())) {
      return Optional.empty();
    }
    return Optional.of(new Declared(specs(graph.inputs), specs(graph.outputs)));
  }

  private static List<TensorSpec> specs(List<Value> values) {
    return values.stream().flatMap(value -> value.spec().stream()).toList();
  }

  private static ProtoFields graphFields(Graph graph) {
    return (field, in) -> {
      switch (field) {
        case INPUT -> graph.inputs.add(value(in));
        case OUTPUT -> graph.outputs.add(value(in));
        case INITIALIZER -> graph.initializers.add(tensorName(in));
        case SPARSE_INITIALIZER -> {
          return nested(
              in,
              (part, sparse) ->
                  part == SPARSE_VALUES && graph.initializers.add(tensorName(sparse)));
        }
        default -> {
          return false;
        }
      }
      return true;
    };
  }

  private static String tensorName(CodedInputStream in) throws IOException {
    String[] name = {""};
    nested(in, (field, tensor) -> field == TENSOR_NAME && set(name, tensor.readString()));
    return name[0];
  }

  private static Value value(CodedInputStream in) throws IOException {
    String[] name = {""};
    int[] type = {0};
    List<Long> dims = new ArrayList<>();
    boolean[] hasShape = {false};
    ProtoFields tensorFields =
        (field, tensor) -> {
          if (field == ELEMENT_TYPE) {
            type[0] = tensor.readInt32();
            return true;
          }
          hasShape[0] |= field == SHAPE;
          return field == SHAPE
              && nested(tensor, (part, shape) -> part == DIM && dims.add(dim(shape)));
        };
    nested(
        in,
        (field, info) ->
            field == NAME
                ? set(name, info.readString())
                : field == TYPE
                    && nested(
                        info,
                        (kind, typeProto) ->
                            kind == TENSOR_TYPE && nested(typeProto, tensorFields)));
    @Nullable DataType known = OnnxTypes.fromOnnx(type[0]).orElse(null);
    return new Value(
        name[0],
        known == null || !hasShape[0]
            ? Optional.empty()
            : Optional.of(new TensorSpec(name[0], known, Shape.of(dims))));
  }

  private static long dim(CodedInputStream in) throws IOException {
    long[] value = {Shape.DYNAMIC};
    nested(
        in,
        (field, dim) -> {
          if (field != DIM_VALUE) {
            return false;
          }
          value[0] = Math.max(Shape.DYNAMIC, dim.readInt64());
          return true;
        });
    return value[0];
  }

  private static boolean set(String[] target, String value) {
    target[0] = value;
    return true;
  }
}
