package dev.conveyor.models.ensemble;

import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.ensemble.Wiring.Held;
import dev.conveyor.models.ensemble.Wiring.Mode;
import dev.conveyor.models.ensemble.Wiring.Read;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The tensors of an ensemble that have a giver. Not thread-safe: owned by a load. */
final class Tensors {

  private final Map<String, Held> tensors = new HashMap<>();

  void give(String tensor, Held held, String key) {
    if (tensors.put(tensor, held) != null) {
      throw new ConfigException(key, "tensor \"" + tensor + "\" is given twice");
    }
  }

  boolean containsAll(Collection<String> names) {
    return tensors.keySet().containsAll(names);
  }

  @Nullable Held find(String tensor) {
    return tensors.get(tensor);
  }

  Held get(String tensor) {
    Held held = tensors.get(tensor);
    if (held == null) {
      throw new IllegalStateException(tensor + " is not given");
    }
    return held;
  }

  /** Returns what a reader sees; a joined tensor may have any number of rows. */
  TensorSpec seen(Read read) {
    TensorSpec spec = get(read.tensor()).spec();
    return switch (read.mode()) {
      case SAME -> spec;
      case WHOLE -> get(read.tensor()).scope() == Wiring.REQUEST ? spec : rows(spec, Shape.DYNAMIC);
      case ROW -> rows(spec, 1);
      case JOINED -> rows(spec, Shape.DYNAMIC);
    };
  }

  /** Returns whether a reader may find nothing; what is joined is there, without rows at least. */
  boolean isOptional(Read read) {
    Held held = get(read.tensor());
    return held.optional() && (read.mode() == Mode.SAME || read.mode() == Mode.WHOLE);
  }

  private static TensorSpec rows(TensorSpec spec, long rows) {
    if (spec.shape().rank() == 0) {
      throw new ConfigException(
          "input_map", "a tensor with rows to take apart or to join", "the scalar " + spec.name());
    }
    return new TensorSpec(spec.name(), spec.type(), spec.shape().withFirst(rows));
  }
}
