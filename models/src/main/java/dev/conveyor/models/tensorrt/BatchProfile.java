package dev.conveyor.models.tensorrt;

import dev.conveyor.models.Shape;
import java.util.List;

/**
 * The batch sizes that an engine is built for, and the one whose kernels are the fastest.
 * Immutable.
 *
 * @param least smallest batch
 * @param best size that kernels are chosen for
 * @param most largest batch
 */
record BatchProfile(int least, int best, int most) {

  BatchProfile {
    if (least < 1 || best < least || most < best) {
      throw new IllegalArgumentException(
          "batches from %d to %d, best %d".formatted(least, most, best));
    }
  }

  /**
   * Returns the profile of a model: from one item to its largest batch. The best is the largest
   * preferred size, since that is what the scheduler fills under load.
   *
   * @param maxBatchSize 0 if the model does not batch
   */
  static BatchProfile of(int maxBatchSize, List<Integer> preferredBatchSizes) {
    int most = Math.max(1, maxBatchSize);
    int best = preferredBatchSizes.stream().mapToInt(Integer::intValue).max().orElse(most);
    return new BatchProfile(1, Math.min(best, most), most);
  }

  /**
   * Returns an input's shape in a batch of {@code size}, for inputs that vary in nothing else.
   *
   * @param declared shape of the file, dynamic dimensions {@link Shape#DYNAMIC}
   * @throws IllegalArgumentException if another dimension is dynamic
   */
  static Shape shape(String input, Shape declared, int size) {
    Shape shape =
        declared.rank() > 0 && declared.dim(0) == Shape.DYNAMIC
            ? declared.withFirst(size)
            : declared;
    if (!shape.isStatic()) {
      throw new IllegalArgumentException(
          "input '%s' is %s: trt_profile_min_shapes, trt_profile_opt_shapes and trt_profile_max_shapes say how it varies"
              .formatted(input, declared));
    }
    return shape;
  }
}
