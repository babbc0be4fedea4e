package dev.conveyor.models.ensemble;

import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import java.util.List;
import java.util.Map;

/** Whether names and tensors of an ensemble fit those of its models. Stateless. */
final class SpecChecks {

  private SpecChecks() {}

  /**
   * Refuses names that the model does not have.
   *
   * @param all whether each name of the model must be there
   */
  static void requireNames(String key, Map<String, String> map, List<String> names, boolean all) {
    for (String name : map.keySet()) {
      if (!names.contains(name)) {
        throw new ConfigException(key, "one of " + names, "\"" + name + "\"");
      }
    }
    for (String name : names) {
      if (all && !map.containsKey(name)) {
        throw new ConfigException(key, "a tensor for the input \"" + name + "\"", "none");
      }
    }
  }

  static List<String> names(List<TensorSpec> specs) {
    return specs.stream().map(TensorSpec::name).toList();
  }

  static ConfigException mismatch(String key, TensorSpec wanted, String tensor, TensorSpec given) {
    return new ConfigException(
        key,
        wanted.type().configName() + " " + wanted.shape(),
        "tensor \"" + tensor + "\", which is " + given.type().configName() + " " + given.shape());
  }

  /** Returns whether there are tensors that are both. */
  static boolean agree(TensorSpec a, TensorSpec b) {
    if (a.type() != b.type() || a.shape().rank() != b.shape().rank()) {
      return false;
    }
    for (int i = 0; i < a.shape().rank(); i++) {
      long x = a.shape().dim(i);
      long y = b.shape().dim(i);
      if (x != y && x != Shape.DYNAMIC && y != Shape.DYNAMIC) {
        return false;
      }
    }
    return true;
  }
}
