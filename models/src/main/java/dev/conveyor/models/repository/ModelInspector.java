package dev.conveyor.models.repository;

import dev.conveyor.models.TensorSpec;
import java.nio.file.Path;
import java.util.List;

/** Looks into a model file for what it takes and gives. */
@FunctionalInterface
public interface ModelInspector {

  /**
   * What a model file declares.
   *
   * @param inputs full shapes, dynamic dimensions -1
   * @param outputs likewise
   */
  record Declared(List<TensorSpec> inputs, List<TensorSpec> outputs) {
    public Declared {
      inputs = List.copyOf(inputs);
      outputs = List.copyOf(outputs);
    }
  }

  /**
   * Opens the file and closes it again. Blocking.
   *
   * @throws RuntimeException if it is not a model; the message says why
   */
  Declared inspect(Path modelFile);
}
