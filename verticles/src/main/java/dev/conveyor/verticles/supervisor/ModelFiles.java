package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.DataType;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** How much memory a model takes at least, told from its files. Thread-safe: no state. */
final class ModelFiles {

  private ModelFiles() {}

  /** Returns the size of a model file and what lies beside it: weights may have their own files. */
  static long sizeBytes(Path modelFile) {
    Path directory = modelFile.toAbsolutePath().getParent();
    long bytes = 0;
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
      for (Path file : files) {
        if (Files.isRegularFile(file)) {
          bytes += Files.size(file);
        }
      }
      return bytes;
    } catch (IOException e) {
      return bytes; // the load will tell what is wrong
    }
  }

  /** Returns what one instance sets aside for the inputs and outputs of its largest batch. */
  static long slabBytes(ModelSignature signature) {
    long items = Math.max(1, signature.maxBatchSize());
    long bytes = 0;
    for (TensorSpec input : signature.inputs()) {
      bytes += items * itemBytes(signature, input);
    }
    for (TensorSpec output : signature.outputs()) {
      bytes += items * itemBytes(signature, output);
    }
    return bytes;
  }

  private static long itemBytes(ModelSignature signature, TensorSpec spec) {
    Shape item =
        signature.batches() && spec.shape().rank() > 0 ? spec.shape().withoutFirst() : spec.shape();
    return item.isStatic() && spec.type() != DataType.BYTES
        ? item.elements() * spec.type().sizeBytes()
        : 0;
  }
}
