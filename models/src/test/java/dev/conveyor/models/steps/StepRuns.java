package dev.conveyor.models.steps;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Runs built-in steps on small tensors. Stateless. */
final class StepRuns {

  private StepRuns() {}

  /** Runs a step on tensors in the order of its inputs, and checks what it said of its outputs. */
  static List<Tensor> run(String name, Map<String, String> settings, Tensor... inputs) {
    Step step = Steps.onClassPath().create("conveyor." + name, new StepSettings(3, settings));
    List<TensorSpec> given = new ArrayList<>();
    for (int i = 0; i < inputs.length; i++) {
      assertThat(inputs[i].name()).isEqualTo(step.inputs().get(i));
      given.add(new TensorSpec(inputs[i].name(), inputs[i].type(), inputs[i].shape()));
    }
    List<TensorSpec> declared = step.outputs(given);
    BufferPool pool = new BufferPool(BlockAllocator.host(), Long.MAX_VALUE);
    List<Tensor> outputs = List.of();
    try {
      outputs = new StepResources(pool, Long.MAX_VALUE).run(step, List.of(inputs));
    } finally {
      assertThat(pool.leasedBytes())
          .as("no more is kept than is given")
          .isEqualTo(outputs.stream().mapToLong(Tensor::sizeBytes).sum());
    }
    for (int i = 0; i < declared.size(); i++) {
      assertThat(outputs.get(i).name()).isEqualTo(declared.get(i).name());
      assertThat(outputs.get(i).type()).isEqualTo(declared.get(i).type());
      assertThat(declared.get(i).shape().accepts(outputs.get(i).shape())).isTrue();
      assertThat((long) outputs.get(i).sizeBytes())
          .isEqualTo(outputs.get(i).shape().elements() * outputs.get(i).type().sizeBytes());
    }
    return outputs;
  }

  /** Returns all the memory and pixels that a run may want. */
  static StepResources resources() {
    return new StepResources(new BufferPool(BlockAllocator.host(), Long.MAX_VALUE), Long.MAX_VALUE);
  }

  static Tensor floats(String name, Shape shape, float... values) {
    ByteBuffer data = little(4 * values.length);
    data.asFloatBuffer().put(values);
    return Tensor.of(name, DataType.FP32, shape, data);
  }

  static float[] values(Tensor tensor) {
    float[] values = new float[tensor.sizeBytes() / 4];
    tensor.data().asFloatBuffer().get(0, values);
    return values;
  }

  static ByteBuffer little(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
