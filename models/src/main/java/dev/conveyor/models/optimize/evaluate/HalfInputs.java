package dev.conveyor.models.optimize.evaluate;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.optimize.graph.Weights;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Gives FP32 data to models that take FP16. Stateless. */
final class HalfInputs {

  private HalfInputs() {}

  /** Returns the tensors, those in FP16 of which a model wants FP16. */
  static List<Tensor> suit(List<TensorSpec> inputs, List<Tensor> tensors) {
    List<Tensor> suited = new ArrayList<>(tensors);
    for (int i = 0; i < inputs.size() && i < tensors.size(); i++) {
      Tensor tensor = tensors.get(i);
      if (inputs.get(i).type() == DataType.FP16 && tensor.type() == DataType.FP32) {
        float[] values = Weights.floats(tensor);
        byte[] halfs =
            Weights.ofHalfs(false, tensor.shape().toArray(), values).getRawData().toByteArray();
        suited.set(
            i, Tensor.of(tensor.name(), DataType.FP16, tensor.shape(), ByteBuffer.wrap(halfs)));
      }
    }
    return suited;
  }
}
