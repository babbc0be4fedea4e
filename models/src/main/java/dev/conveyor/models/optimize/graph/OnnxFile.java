package dev.conveyor.models.optimize.graph;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.conveyor.models.ScratchFiles;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.OptimizeException;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import java.util.Set;

/** Reads and writes ONNX files. Stateless. */
public final class OnnxFile {

  /** What one protobuf message, and so one file without external data, can hold. */
  private static final long MAX_BYTES = Integer.MAX_VALUE;

  private static final Set<PosixFilePermission> READABLE_BY_ALL =
      PosixFilePermissions.fromString("rw-r--r--");

  private OnnxFile() {}

  /**
   * Reads a model.
   *
   * @throws OptimizeException if it is no ONNX model, or one over 2 GB
   */
  public static ModelProto read(Path file) {
    ModelProto model;
    try {
      long bytes = Files.size(file);
      if (bytes > MAX_BYTES) {
        throw new OptimizeException(
            "%s: %,d bytes; models over 2 GB cannot be optimised".formatted(file, bytes));
      }
      model = ModelProto.parseFrom(Files.readAllBytes(file));
    } catch (InvalidProtocolBufferException e) {
      throw new OptimizeException(file + ": not an ONNX model: " + e.getMessage(), e);
    } catch (IOException e) {
      throw new OptimizeException(file + ": cannot be read: " + e, e);
    }
    if (!model.hasGraph() || model.getGraph().getOutputCount() == 0) {
      throw new OptimizeException(
          file + ": not an ONNX model: no graph with an output was found in it");
    }
    for (TensorProto weight : model.getGraph().getInitializerList()) {
      if (weight.getDataLocation() == TensorProto.DataLocation.EXTERNAL) {
        throw new OptimizeException(
            "%s: '%s' lies in another file (external data, for models over 2 GB); such models cannot"
                    .formatted(file, weight.getName())
                + " be optimised");
      }
    }
    return model;
  }

  /**
   * Writes a model so that the file is there whole or not at all: into a neighbour, flushed to the
   * disk, then renamed.
   */
  public static void write(Path file, ModelProto model) {
    write(file, model.toByteArray());
  }

  /** Writes bytes as {@link #write(Path, ModelProto)} does. */
  public static void write(Path file, byte[] bytes) {
    Path target = file.toAbsolutePath();
    Path directory = Objects.requireNonNull(target.getParent(), "a file has a directory");
    try {
      Files.createDirectories(directory);
      ScratchFiles.replace(
          target,
          READABLE_BY_ALL,
          part -> {
            Channels.newOutputStream(part).write(bytes);
            part.force(true);
          });
      sync(directory);
    } catch (IOException e) {
      throw new OptimizeException(file + ": cannot be written: " + e, e);
    }
  }

  /** Without this the rename may be lost with the power, though not half-done. */
  private static void sync(Path directory) throws IOException {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
