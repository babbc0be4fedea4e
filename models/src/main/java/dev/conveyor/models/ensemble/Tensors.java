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
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The tensors of an ensemble that have a giver. Not thread-safe: owned by a load. */
final class Tensors {

  private final Map<String, Held> tensors = new HashMap<>();

  /** Tensors that either of two steps gives, and what is known of the first of them. */
  private final Map<String, Optional<Held>> alternatives = new HashMap<>();

  /** Either of two steps is going to give this one. */
  void expectAlternatives(String tensor) {
    alternatives.put(tensor, Optional.empty());
  }

  boolean hasAlternatives(String tensor) {
    return alternatives.containsKey(tensor);
  }

  /** Takes note of a tensor; one that either of two steps gives is there with the second. */
  void give(String tensor, Held held, String key) {
    Optional<Held> other = alternatives.get(tensor);
    if (other != null && other.isEmpty()) {
      alternatives.put(tensor, Optional.of(held));
      return;
    }
    Held given = other == null ? held : either(other.get(), held, key);
    if (tensors.put(tensor, given) != null) {
      throw new ConfigException(key, "tensor \"" + tensor + "\" is given twice");
    }
  }

  private static Held either(Held a, Held b, String key) {
    TensorSpec spec = b.spec();
    if (a.scope() != b.scope()) {
      throw new ConfigException(
          key, "tensor \"" + spec.name() + "\" is given by one step per item, by the other once");
    }
    if (a.spec().type() != spec.type() || a.spec().shape().rank() != spec.shape().rank()) {
      throw SpecChecks.mismatch(key, a.spec(), spec.name(), spec);
    }
    long[] dims = spec.shape().toArray();
    for (int i = 0; i < dims.length; i++) {
      dims[i] = dims[i] == a.spec().shape().dim(i) ? dims[i] : Shape.DYNAMIC;
    }
    TensorSpec both = new TensorSpec(spec.name(), spec.type(), Shape.of(dims));
    return new Held(a.scope(), both, a.optional() || b.optional());
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
