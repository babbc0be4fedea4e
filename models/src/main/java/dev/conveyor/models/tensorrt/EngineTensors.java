package dev.conveyor.models.tensorrt;

import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.device.DeviceModel;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Compares what an engine takes and gives with what its model does. The parser replaces types that
 * TensorRT does not have, doubles by floats for one: answers would be read wrong. Stateless.
 */
final class EngineTensors {

  private EngineTensors() {}

  /**
   * Returns the first difference; null if there is none.
   *
   * @param declared by the model; where a dimension besides the first is dynamic, any will do
   * @param found the engine, with its tensors in any order
   */
  static @Nullable String difference(Declared declared, DeviceModel found) {
    String inputs = difference(declared.inputs(), found.inputs());
    return inputs == null ? difference(declared.outputs(), found.outputs()) : inputs;
  }

  private static @Nullable String difference(List<TensorSpec> declared, List<TensorSpec> found) {
    for (TensorSpec spec : declared) {
      TensorSpec other =
          found.stream().filter(each -> each.name().equals(spec.name())).findFirst().orElse(null);
      if (other == null) {
        return "the engine has no '%s'".formatted(spec.name());
      }
      if (other.type() != spec.type() || !fits(spec.shape(), other.shape())) {
        return "'%s' is %s%s in the engine and %s%s in the model"
            .formatted(spec.name(), other.type(), other.shape(), spec.type(), spec.shape());
      }
    }
    return found.size() == declared.size()
        ? null
        : "the engine has %d tensors, the model %d".formatted(found.size(), declared.size());
  }

  private static boolean fits(Shape declared, Shape found) {
    if (declared.rank() != found.rank()) {
      return false;
    }
    for (int d = 0; d < declared.rank(); d++) {
      boolean any = d > 0 && declared.dim(d) == Shape.DYNAMIC;
      if (!any && declared.dim(d) != found.dim(d)) {
        return false;
      }
    }
    return true;
  }
}
