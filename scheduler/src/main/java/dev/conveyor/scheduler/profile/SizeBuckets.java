package dev.conveyor.scheduler.profile;

/**
 * Groups batch sizes: up to 16 each size is its own bucket, above it there are eight per doubling,
 * so that a profile stays small however large a batch may be. Stateless.
 */
final class SizeBuckets {

  static final int COUNT = of(1 << 24) + 1;

  private static final int EXACT_SIZES = 16;
  private static final int STEPS_PER_DOUBLING = 8;

  private SizeBuckets() {}

  /** Returns the bucket of a size: buckets ascend with sizes. */
  static int of(int items) {
    if (items <= EXACT_SIZES) {
      return Math.max(1, items) - 1;
    }
    int last = items - 1;
    int doubling = 31 - Integer.numberOfLeadingZeros(last);
    int step = (last >>> (doubling - 3)) & (STEPS_PER_DOUBLING - 1);
    int bucket = EXACT_SIZES + (doubling - 4) * STEPS_PER_DOUBLING + step;
    return Math.min(bucket, EXACT_SIZES + 20 * STEPS_PER_DOUBLING - 1);
  }

  /** Returns the largest size of a bucket, which stands for it. */
  static int size(int bucket) {
    if (bucket < EXACT_SIZES) {
      return bucket + 1;
    }
    int doubling = (bucket - EXACT_SIZES) / STEPS_PER_DOUBLING + 4;
    int step = (bucket - EXACT_SIZES) % STEPS_PER_DOUBLING;
    return (1 << doubling) + ((step + 1) << (doubling - 3));
  }
}
