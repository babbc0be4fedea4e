package dev.conveyor.scheduler.profile;

import org.jspecify.annotations.Nullable;

/**
 * Learns how long a batch of one model takes on one device, by batch size.
 *
 * <p>Not thread-safe: owned by the scheduler.
 *
 * <p>Per size it keeps an exponentially weighted mean and the last 32 samples, whose maximum stands
 * for the tail (as in Clockwork, which takes the maximum of the last 10). The first two runs of a
 * size are left out, because they pay for tuning, growing pools and cold caches; they count only
 * while nothing better is known. Sizes up to 16 are kept apart, larger ones in eight steps per
 * doubling, so that a profile stays small however large a batch may be.
 *
 * <p>A prediction between two known sizes is interpolated; above the largest known size time is
 * taken as proportional to the size, which is pessimistic for anything that batching helps; below
 * the smallest it is that size's. A larger batch is never predicted to be faster than a smaller
 * one.
 */
public final class CostProfile {

  private static final int EXACT_SIZES = 16;
  private static final int STEPS_PER_DOUBLING = 8;
  private static final int BUCKETS = bucket(1 << 24) + 1;

  private final @Nullable SizeCost[] costs = new @Nullable SizeCost[BUCKETS];
  private int highest = -1;
  private long provisionalNs;
  private int provisionalItems;

  /** Learns from one run. */
  public void record(int items, long busyNs) {
    int bucket = bucket(items);
    SizeCost cost = costs[bucket];
    if (cost == null) {
      cost = new SizeCost();
      costs[bucket] = cost;
    }
    long ns = Math.max(0, busyNs);
    if (cost.record(ns)) {
      highest = Math.max(highest, bucket);
    } else {
      provisionalNs = ns;
      provisionalItems = items;
    }
  }

  /** Returns false until a batch has run; nothing can be predicted before. */
  public boolean isKnown() {
    return highest >= 0 || provisionalItems > 0;
  }

  /** Returns the expected time of a batch; 0 if nothing is known. */
  public long predictNs(int items) {
    return predict(items, false);
  }

  /** Returns a time that a batch rarely exceeds; 0 if nothing is known. */
  public long predictTailNs(int items) {
    return predict(items, true);
  }

  private long predict(int items, boolean tail) {
    if (highest < 0) {
      return provisionalItems == 0
          ? 0
          : Math.max(provisionalNs, (long) ((double) provisionalNs * items / provisionalItems));
    }
    int bucket = bucket(items);
    int below = -1;
    double floorNs = 0;
    for (int i = Math.min(bucket, highest); i >= 0; i--) {
      SizeCost cost = known(i);
      if (cost != null) {
        below = Math.max(below, i);
        floorNs = Math.max(floorNs, cost.ns(tail));
      }
    }
    if (below == bucket) {
      return (long) floorNs;
    }
    int above = bucket + 1;
    while (above <= highest && known(above) == null) {
      above++;
    }
    if (above > highest) {
      return (long) (floorNs * items / size(below));
    }
    SizeCost aboveCost = costs[above];
    double aboveNs = aboveCost == null ? floorNs : Math.max(floorNs, aboveCost.ns(tail));
    if (below < 0) {
      return (long) aboveNs;
    }
    double part = (double) (items - size(below)) / (size(above) - size(below));
    return (long) (floorNs + Math.max(0, part) * (aboveNs - floorNs));
  }

  private @Nullable SizeCost known(int bucket) {
    SizeCost cost = costs[bucket];
    return cost != null && cost.isKnown() ? cost : null;
  }

  /** Returns the bucket of a size: buckets ascend with sizes. */
  static int bucket(int items) {
    if (items <= EXACT_SIZES) {
      return Math.max(1, items) - 1;
    }
    int last = items - 1;
    int doubling = 31 - Integer.numberOfLeadingZeros(last);
    int step = (last >>> (doubling - 3)) & (STEPS_PER_DOUBLING - 1);
    int bucket = EXACT_SIZES + (doubling - 4) * STEPS_PER_DOUBLING + step;
    return Math.min(bucket, EXACT_SIZES + 20 * STEPS_PER_DOUBLING - 1);
  }

  /** Returns the largest size of a bucket. */
  static int size(int bucket) {
    if (bucket < EXACT_SIZES) {
      return bucket + 1;
    }
    int doubling = (bucket - EXACT_SIZES) / STEPS_PER_DOUBLING + 4;
    int step = (bucket - EXACT_SIZES) % STEPS_PER_DOUBLING;
    return (1 << doubling) + ((step + 1) << (doubling - 3));
  }
}
