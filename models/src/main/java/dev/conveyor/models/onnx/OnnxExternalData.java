package dev.conveyor.models.onnx;

import static dev.conveyor.models.onnx.ProtoFields.nested;

import com.google.protobuf.CodedInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * Finds the files besides the model file that a model has its weights in ("external data").
 * Stateless.
 *
 * <p>Field numbers are those of onnx.proto. Tensors are found wherever they can be: weights, sparse
 * weights, attributes of nodes, graphs inside of those, functions.
 */
public final class OnnxExternalData {

  private static final String LOCATION = "location";

  /**
   * So deep graphs may lie inside of graphs: each level is three messages (node, attribute, graph),
   * of which ONNX Runtime reads no more than a hundred inside of one another either.
   */
  private static final int MAX_DEPTH = 33;

  private OnnxExternalData() {}

  /**
   * Returns the locations that the model names, as they stand there: relative to its directory, and
   * not checked to be inside of it. Empty if all is in the model file.
   *
   * @throws IOException if the file cannot be read, is no protobuf message, or nests its graphs
   *     deeper than any runtime reads them
   */
  public static SortedSet<String> locations(Path model) throws IOException {
    SortedSet<String> found = new TreeSet<>();
    ProtoFields.read(
        model,
        (field, in) ->
            switch (field) {
              case 7 -> nested(in, graph(found, 1)); // ModelProto.graph
              case 25 -> nested(in, function(found)); // ModelProto.functions
              default -> false;
            });
    return found;
  }

  private static ProtoFields graph(SortedSet<String> found, int depth) throws IOException {
    if (depth > MAX_DEPTH) {
      throw new IOException("its graphs are nested more than " + MAX_DEPTH + " deep");
    }
    return (field, in) ->
        switch (field) {
          case 1 -> nested(in, node(found, depth)); // GraphProto.node
          case 5 -> nested(in, tensor(found)); // GraphProto.initializer
          case 15 -> nested(in, sparse(found)); // GraphProto.sparse_initializer
          default -> false;
        };
  }

  private static ProtoFields function(SortedSet<String> found) {
    return (field, in) ->
        switch (field) {
          case 7 -> nested(in, node(found, 1)); // FunctionProto.node
          case 11 -> nested(in, attribute(found, 1)); // FunctionProto.attribute_proto
          default -> false;
        };
  }

  private static ProtoFields node(SortedSet<String> found, int depth) {
    return (field, in) -> field == 5 && nested(in, attribute(found, depth)); // NodeProto.attribute
  }

  private static ProtoFields attribute(SortedSet<String> found, int depth) {
    return (field, in) ->
        switch (field) {
          case 5, 10 -> nested(in, tensor(found)); // AttributeProto.t, tensors
          case 6, 11 -> nested(in, graph(found, depth + 1)); // AttributeProto.g, graphs
          case 22, 23 -> nested(in, sparse(found)); // AttributeProto.sparse_tensor(s)
          default -> false;
        };
  }

  private static ProtoFields sparse(SortedSet<String> found) {
    return (field, in) ->
        (field == 1 || field == 2)
            && nested(in, tensor(found)); // SparseTensorProto.values, indices
  }

  private static ProtoFields tensor(SortedSet<String> found) {
    return (field, in) -> field == 13 && location(in, found); // TensorProto.external_data
  }

  /** Reads one StringStringEntryProto. */
  private static boolean location(CodedInputStream in, SortedSet<String> found) throws IOException {
    String[] entry = {"", ""};
    nested(
        in,
        (field, strings) -> {
          boolean known = field == 1 || field == 2; // key, value
          if (known) {
            entry[field - 1] = strings.readString();
          }
          return known;
        });
    if (entry[0].equals(LOCATION)) {
      found.add(entry[1]);
    }
    return true;
  }
}
