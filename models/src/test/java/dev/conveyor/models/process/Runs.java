package dev.conveyor.models.process;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.LoadOptions;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;

/** Requests and answers of the tests here. */
final class Runs {

  record Request(int batchSize, List<Tensor> inputs) implements BatchRequest {}

  private Runs() {}

  static LoadOptions options(MemoryBudget budget) {
    return new LoadOptions("test", 1, budget, Map.of());
  }

  /** Returns a request of {@code items} items that share the numbers evenly. */
  static Request floats(String input, int items, float... values) {
    ByteBuffer data = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asFloatBuffer().put(values);
    return new Request(
        items,
        List.of(Tensor.of(input, DataType.FP32, Shape.of(items, values.length / items), data)));
  }

  static float[] floats(BatchResult result, int request) {
    ByteBuffer data = result.outputs().get(request).get(0).data();
    float[] values = new float[data.limit() / 4];
    data.duplicate().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }
}
