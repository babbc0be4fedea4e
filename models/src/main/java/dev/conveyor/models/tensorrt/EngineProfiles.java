package dev.conveyor.models.tensorrt;

import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The optimisation profiles of an engine, and which of them the instances use. Immutable.
 *
 * @param all in the engine's order
 * @param used their numbers, in the order in which they are tried; at least one
 */
record EngineProfiles(List<ShapeProfile> all, List<Integer> used) {

  /**
   * Returns the profiles of an engine.
   *
   * @param wanted numbers of those to use; empty for all
   * @throws ConfigException if there is none of such a number
   */
  static EngineProfiles of(List<ShapeProfile> all, List<Integer> wanted) {
    for (int number : wanted) {
      if (number >= all.size()) {
        throw new ConfigException(
            "instance_group.profile",
            "optimisation profiles of the engine, \"0\" to \"%d\"".formatted(all.size() - 1),
            "\"" + number + "\"");
      }
    }
    return new EngineProfiles(
        List.copyOf(all),
        wanted.isEmpty() ? IntStream.range(0, all.size()).boxed().toList() : List.copyOf(wanted));
  }

  /** Returns the number of the one that is tried first. */
  int first() {
    return used.get(0);
  }

  /** Returns the range of an input in the one that is tried first; null if it has none. */
  ShapeProfile.@Nullable Range firstRange(String input) {
    return all.get(first()).ranges().get(input);
  }

  /** Returns whether a context has to be told which of them it is for. */
  boolean areSeveral() {
    return all.size() > 1;
  }

  /**
   * Returns the number of the first one in use that takes a batch, or -1.
   *
   * @param shapes of the inputs, in their order
   */
  int firstFor(List<TensorSpec> inputs, List<Shape> shapes) {
    for (int number : used) {
      if (all.get(number).takes(inputs, shapes)) {
        return number;
      }
    }
    return -1;
  }

  /** Returns the smallest batch up to {@code most} items that none in use takes; 0 if none is. */
  int leastUncovered(int most) {
    return ShapeProfile.leastUncovered(used.stream().map(all::get).toList(), most);
  }
}
