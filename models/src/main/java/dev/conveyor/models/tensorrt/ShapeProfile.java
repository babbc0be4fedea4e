package dev.conveyor.models.tensorrt;

import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * An optimisation profile: the shapes that an engine takes with one choice of kernels. Immutable.
 *
 * @param ranges by input, of the shapes of whole batches; inputs that are not there are free in
 *     nothing but the batch
 */
record ShapeProfile(SortedMap<String, Range> ranges) {

  /**
   * Shapes from one to another.
   *
   * @param best that kernels are chosen for
   */
  record Range(Shape least, Shape best, Shape most) {

    Range {
      if (!isWithin(least, best, most)) {
        throw new IllegalArgumentException("from %s to %s, best %s".formatted(least, most, best));
      }
    }

    boolean takes(Shape shape) {
      return isWithin(least, shape, most);
    }

    private static boolean isWithin(Shape least, Shape shape, Shape most) {
      boolean within = least.rank() == shape.rank() && most.rank() == shape.rank();
      for (int d = 0; within && d < shape.rank(); d++) {
        within = least.dim(d) <= shape.dim(d) && shape.dim(d) <= most.dim(d);
      }
      return within;
    }
  }

  ShapeProfile {
    ranges = Collections.unmodifiableSortedMap(new TreeMap<>(ranges));
  }

  /**
   * Reads profiles as ONNX Runtime's TensorRT provider and Triton write them, {@code
   * ids:1x16,mask:1x16}. An input that is named again belongs to the next profile.
   *
   * @throws IllegalArgumentException if the three do not say the same of the same inputs
   */
  static List<ShapeProfile> parse(String least, String best, String most) {
    Map<String, List<Shape>> from = shapes(least);
    Map<String, List<Shape>> at = shapes(best);
    Map<String, List<Shape>> to = shapes(most);
    if (!from.keySet().equals(at.keySet()) || !from.keySet().equals(to.keySet())) {
      throw new IllegalArgumentException(
          "inputs %s, %s and %s".formatted(from.keySet(), at.keySet(), to.keySet()));
    }
    int count = from.values().stream().mapToInt(List::size).max().orElse(0);
    List<ShapeProfile> profiles = new ArrayList<>();
    for (int p = 0; p < count; p++) {
      SortedMap<String, Range> ranges = new TreeMap<>();
      for (String input : from.keySet()) {
        ranges.put(input, new Range(nth(from, input, p), nth(at, input, p), nth(to, input, p)));
      }
      profiles.add(new ShapeProfile(ranges));
    }
    return List.copyOf(profiles);
  }

  private static Shape nth(Map<String, List<Shape>> shapes, String input, int profile) {
    List<Shape> all = shapes.getOrDefault(input, List.of());
    if (profile >= all.size()) {
      throw new IllegalArgumentException(
          "input '%s' is in %d profiles, others in more".formatted(input, all.size()));
    }
    return all.get(profile);
  }

  private static Map<String, List<Shape>> shapes(String text) {
    Map<String, List<Shape>> shapes = new TreeMap<>();
    for (String part : text.isEmpty() ? new String[0] : text.split(",", -1)) {
      int colon = part.lastIndexOf(':'); // Names of inputs may have colons of their own.
      if (colon < 1) {
        throw new IllegalArgumentException("'%s' is not NAME:1x2x3".formatted(part));
      }
      List<Long> dims = new ArrayList<>();
      for (String dim : part.substring(colon + 1).split("x", -1)) {
        if (!dim.matches("[0-9]{1,18}")) {
          throw new IllegalArgumentException("'%s' is not NAME:1x2x3".formatted(part));
        }
        dims.add(Long.parseLong(dim));
      }
      shapes
          .computeIfAbsent(part.substring(0, colon), name -> new ArrayList<>())
          .add(Shape.of(dims));
    }
    return shapes;
  }

  /**
   * Returns the shapes of an input, those of the batch sizes if this does not say any.
   *
   * @param declared shape of the file, dynamic dimensions {@link Shape#DYNAMIC}
   * @throws IllegalArgumentException if it says others than the file, or too little
   */
  Range range(String input, Shape declared, BatchProfile batches) {
    Range range = ranges.get(input);
    if (range == null) {
      return new Range(
          BatchProfile.shape(input, declared, batches.least()),
          BatchProfile.shape(input, declared, batches.best()),
          BatchProfile.shape(input, declared, batches.most()));
    }
    if (!declared.accepts(range.least()) || !declared.accepts(range.most())) {
      throw new IllegalArgumentException(
          "input '%s' is %s, and its profile from %s to %s"
              .formatted(input, declared, range.least(), range.most()));
    }
    return range;
  }

  /**
   * Returns whether it takes a batch.
   *
   * @param shapes of the inputs, in their order
   */
  boolean takes(List<TensorSpec> inputs, List<Shape> shapes) {
    for (int i = 0; i < shapes.size(); i++) {
      @Nullable Range range = ranges.get(inputs.get(i).name());
      if (range != null && !range.takes(shapes.get(i))) {
        return false;
      }
    }
    return true;
  }

  /**
   * Returns the smallest batch up to {@code most} items that no profile takes; 0 if there is none.
   */
  static int leastUncovered(List<ShapeProfile> profiles, int most) {
    for (int size = 1; size <= most; size++) {
      int items = size;
      if (profiles.stream().noneMatch(profile -> profile.takesBatches(items))) {
        return size;
      }
    }
    return 0;
  }

  private boolean takesBatches(int items) {
    return ranges.values().stream()
        .allMatch(
            range ->
                range.least().rank() == 0
                    || (range.least().dim(0) <= items && items <= range.most().dim(0)));
  }
}
