package dev.conveyor.models.onnx;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Loads a model of one node and runs it, so that the next one finds all code in place. */
final class OnnxWarmUp {

  private static final long MOST_BYTES = 64L << 20;

  private record Item(List<Tensor> inputs) implements BatchRequest {
    @Override
    public int batchSize() {
      return 1;
    }
  }

  private OnnxWarmUp() {}

  /**
   * Does it once. Blocking.
   *
   * @throws ModelLoadException if the model cannot be written to a temporary file, or loaded
   */
  static void run(Backend backend) {
    try {
      Path file = Files.createTempFile("conveyor-warm-up", ".onnx");
      try (InputStream model =
          Objects.requireNonNull(OnnxWarmUp.class.getResourceAsStream("warm-up.onnx"))) {
        Files.copy(model, file, StandardCopyOption.REPLACE_EXISTING);
        run(backend, file);
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new ModelLoadException("warm-up: " + e, e);
    }
  }

  private static void run(Backend backend, Path file) {
    MemoryBudget budget = new MemoryBudget("the warm-up", MOST_BYTES);
    try (LoadedModel model = backend.load(file, new LoadOptions("warm-up", 1, budget, Map.of()));
        ModelExecutor executor = model.newExecutor(1)) {
      TensorSpec input = model.inputs().get(0);
      Shape shape = input.shape().withFirst(1);
      ByteBuffer zeros =
          ByteBuffer.allocate(Math.toIntExact(shape.elements() * input.type().sizeBytes()));
      Item item = new Item(List.of(Tensor.of(input.name(), input.type(), shape, zeros)));
      executor.execute(List.of(item)).discard();
    }
  }
}
