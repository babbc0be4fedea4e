package dev.conveyor.verticles.instance;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.Warmup;
import dev.conveyor.verticles.ServedModel;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Makes an instance's executor and runs the configured warm-ups on it before it takes requests.
 * Without any, models of fixed shapes run one item of zeros, so that the first client does not pay
 * for the first run. Called on the instance's thread.
 */
public final class Warmups {

  private record Request(int batchSize, List<Tensor> inputs) implements BatchRequest {}

  private Warmups() {}

  /** Returns a warm executor; the caller closes it. */
  public static ModelExecutor run(ServedModel served, LoadedModel weights) {
    ModelExecutor executor = weights.newExecutor(served.config().maxBatchSize());
    try {
      if (served.config().warmups().isEmpty()) {
        runZeros(served, executor);
      } else {
        served.config().warmups().forEach(warmup -> run(served, executor, warmup));
      }
      return executor;
    } catch (RuntimeException e) {
      executor.close();
      throw e;
    }
  }

  private static void runZeros(ServedModel served, ModelExecutor executor) {
    List<Tensor> inputs = new ArrayList<>();
    for (TensorSpec spec : served.signature().inputs()) {
      Shape shape = served.signature().batches() ? spec.shape().withFirst(1) : spec.shape();
      if (!shape.isStatic() || spec.type() == DataType.BYTES) {
        return;
      }
      inputs.add(zeros(spec, shape));
    }
    executor.execute(List.of(new Request(1, inputs)));
  }

  private static void run(ServedModel served, ModelExecutor executor, Warmup warmup) {
    int batchSize = Math.max(1, warmup.batchSize());
    List<Tensor> inputs = new ArrayList<>();
    for (TensorSpec spec : served.signature().inputs()) {
      Warmup.Input input = warmup.inputs().get(spec.name());
      if (input == null) {
        throw new ModelLoadException(
            "model_warmup '%s': input '%s' is missing".formatted(warmup.name(), spec.name()));
      }
      Shape shape = served.signature().batches() ? input.dims().withBatch(batchSize) : input.dims();
      inputs.add(input.data() == Warmup.Data.RANDOM ? random(spec, shape) : zeros(spec, shape));
    }
    for (int i = 0; i < warmup.count(); i++) {
      executor.execute(List.of(new Request(batchSize, inputs)));
    }
  }

  private static Tensor zeros(TensorSpec spec, Shape shape) {
    // An empty string is four zero bytes, so zeros fit every type.
    int size = spec.type() == DataType.BYTES ? Integer.BYTES : spec.type().sizeBytes();
    ByteBuffer data = ByteBuffer.allocate(Math.toIntExact(shape.elements() * size));
    return Tensor.of(spec.name(), spec.type(), shape, data);
  }

  private static Tensor random(TensorSpec spec, Shape shape) {
    Tensor tensor = zeros(spec, shape);
    if (spec.type() == DataType.FP32) {
      Random random = new Random(0);
      for (int i = 0; i < tensor.sizeBytes(); i += Float.BYTES) {
        tensor.data().putFloat(i, random.nextFloat());
      }
    }
    return tensor;
  }
}
