package dev.conveyor.models;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Writes small ONNX files for tests: one node, inputs to outputs. */
public final class OnnxFiles {

  private OnnxFiles() {}

  /**
   * A graph input or output.
   *
   * @param onnxType element type number of ONNX (1 FLOAT, 7 INT64, 8 STRING)
   * @param dims a number, or a name for a dynamic dimension
   */
  public record Value(String name, int onnxType, List<Object> dims) {}

  public static final int FLOAT = 1;
  public static final int INT32 = 6;
  public static final int INT64 = 7;
  public static final int STRING = 8;

  /** Writes a model of a single node whose operands are the graph's inputs and outputs. */
  public static Path oneNode(Path file, String operator, List<Value> inputs, List<Value> outputs) {
    byte[] node =
        message(
            out -> {
              for (Value input : inputs) {
                out.writeString(1, input.name());
              }
              for (Value output : outputs) {
                out.writeString(2, output.name());
              }
              out.writeString(4, operator);
            });
    byte[] graph =
        message(
            out -> {
              bytes(out, 1, node);
              out.writeString(2, "test");
              for (Value input : inputs) {
                bytes(out, 11, valueInfo(input));
              }
              for (Value output : outputs) {
                bytes(out, 12, valueInfo(output));
              }
            });
    byte[] model =
        message(
            out -> {
              out.writeInt64(1, 8);
              bytes(out, 7, graph);
              bytes(out, 8, message(opset -> opset.writeInt64(2, 13)));
            });
    try {
      Files.createDirectories(file.toAbsolutePath().getParent());
      return Files.write(file, model);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes {@code OUTPUT0 = INPUT0}, FP32, batch dimension dynamic, {@code width} per item. */
  public static Path identity(Path file, int width) {
    return oneNode(
        file,
        "Identity",
        List.of(new Value("INPUT0", FLOAT, List.of("batch", width))),
        List.of(new Value("OUTPUT0", FLOAT, List.of("batch", width))));
  }

  private static byte[] valueInfo(Value value) {
    byte[] shape =
        message(
            out -> {
              for (Object dim : value.dims()) {
                bytes(
                    out,
                    1,
                    message(
                        d -> {
                          if (dim instanceof Number number) {
                            d.writeInt64(1, number.longValue());
                          } else {
                            d.writeString(2, dim.toString());
                          }
                        }));
              }
            });
    byte[] tensor =
        message(
            out -> {
              out.writeInt32(1, value.onnxType());
              bytes(out, 2, shape);
            });
    return message(
        out -> {
          out.writeBytes(1, ByteString.copyFrom(value.name(), StandardCharsets.UTF_8));
          bytes(out, 2, message(type -> bytes(type, 1, tensor)));
        });
  }

  private interface Body {
    void write(CodedOutputStream out) throws IOException;
  }

  private static void bytes(CodedOutputStream out, int field, byte[] value) throws IOException {
    out.writeByteArray(field, value);
  }

  private static byte[] message(Body body) {
    try {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      CodedOutputStream out = CodedOutputStream.newInstance(bytes);
      body.write(out);
      out.flush();
      return bytes.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
