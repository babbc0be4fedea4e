package dev.conveyor.verticles.server;

import dev.conveyor.models.DataType;
import dev.conveyor.models.OnnxFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Writes small models into a repository. Immutable. */
public final class TestModels {

  private final Path root;

  public TestModels(Path root) {
    this.root = root;
  }

  public Path root() {
    return root;
  }

  /** Returns where the model file of a version belongs. */
  public Path file(String model, int version) {
    return root.resolve(model).resolve(Integer.toString(version)).resolve("model.onnx");
  }

  /** Writes {@code OUTPUT0 = INPUT0}, FP32 [batch,width]. */
  public TestModels identity(String model, int width) {
    OnnxFiles.identity(file(model, 1), width);
    return this;
  }

  /** Writes {@code OUTPUT0 = INPUT0} of any type and shape. */
  public TestModels identity(String model, DataType type, Object... dims) {
    return unary(model, 1, "Identity", type, dims);
  }

  /** Writes a model that takes images, gives their pixels, and sees each as 2 by 2 of them. */
  public TestModels pixels(String model) {
    return identity(model, DataType.FP32, "batch", 3, 2, 2)
        .config(
            model,
            """
            {"max_batch_size": 8,
             "conveyor": {"preprocessing": [{"input": "INPUT0", "height": 2, "width": 2}]}}
            """);
  }

  /** Writes a model of one operator with one operand. */
  public TestModels unary(
      String model, int version, String operator, DataType type, Object... dims) {
    OnnxFiles.oneNode(
        file(model, version),
        operator,
        List.of(new OnnxFiles.Value("INPUT0", onnx(type), List.of(dims))),
        List.of(new OnnxFiles.Value("OUTPUT0", onnx(type), List.of(dims))));
    return this;
  }

  /** Writes {@code SUM = A + B}, FP32 [batch,width]. */
  public TestModels sum(String model, int width) {
    List<Object> dims = List.of("batch", width);
    OnnxFiles.oneNode(
        file(model, 1),
        "Add",
        List.of(
            new OnnxFiles.Value("A", OnnxFiles.FLOAT, dims),
            new OnnxFiles.Value("B", OnnxFiles.FLOAT, dims)),
        List.of(new OnnxFiles.Value("SUM", OnnxFiles.FLOAT, dims)));
    return this;
  }

  public TestModels config(String model, String json) {
    return write(root.resolve(model).resolve("config.json"), json);
  }

  /** Writes a file that belongs to a model, such as its labels. */
  public TestModels file(String model, String name, String text) {
    return write(root.resolve(model).resolve(name), text);
  }

  private TestModels write(Path file, String text) {
    try {
      Files.createDirectories(file.getParent());
      Files.writeString(file, text);
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns the number that ONNX files have for a type. */
  private static int onnx(DataType type) {
    return switch (type) {
      case FP32 -> 1;
      case UINT8 -> 2;
      case INT8 -> 3;
      case UINT16 -> 4;
      case INT16 -> 5;
      case INT32 -> 6;
      case INT64 -> 7;
      case BYTES -> 8;
      case BOOL -> 9;
      case FP16 -> 10;
      case FP64 -> 11;
      case UINT32 -> 12;
      case UINT64 -> 13;
      case BF16 -> 16;
    };
  }
}
