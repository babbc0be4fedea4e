package dev.conveyor.models.onnx;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Loads a model of one node and runs it, so that the next one finds all code in place. */
final class OnnxWarmUp {

  private static final String NAME = "warm-up.onnx";
  private static final long MOST_BYTES = 64L << 20;

  private record Item(List<Tensor> inputs) implements BatchRequest {
    @Override
    public int batchSize() {
      return 1;
    }
  }

  private OnnxWarmUp() {}

  /**
   * Does it once. Blocking. Needs no file: there may be no directory to write one to.
   *
   * @throws ModelLoadException if the model cannot be loaded
   */
  static void run(OnnxBackend backend) {
    LoadOptions options =
        new LoadOptions("warm-up", 1, new MemoryBudget("the warm-up", MOST_BYTES), Map.of());
    try (LoadedModel model = backend.load(Path.of(NAME), bytes(), options);
        ModelExecutor executor = model.newExecutor(1)) {
      TensorSpec input = model.inputs().get(0);
      Shape shape = input.shape().withFirst(1);
      ByteBuffer zeros =
          ByteBuffer.allocate(Math.toIntExact(shape.elements() * input.type().sizeBytes()));
      Item item = new Item(List.of(Tensor.of(input.name(), input.type(), shape, zeros)));
      executor.execute(List.of(item)).discard();
    }
  }

  private static byte[] bytes() {
    try (InputStream model = Objects.requireNonNull(OnnxWarmUp.class.getResourceAsStream(NAME))) {
      return model.readAllBytes();
    } catch (IOException e) {
      throw new ModelLoadException(NAME + ": " + e, e);
    }
  }
}
