package dev.conveyor.scheduler.isolation;

/**
 * The largest batch that memory lately allowed. Halved when memory runs out, doubled again for
 * every while without that, until it is no limit any more.
 *
 * <p>Not thread-safe: owned by the instance that runs the batches.
 */
public final class BatchCap {

  /** How long a cap stands before it is doubled. */
  public static final long RECOVERY_NS = 30_000_000_000L;

  /** No limit. */
  public static final int NONE = Integer.MAX_VALUE;

  private int items = NONE;
  private int failedAt = NONE;
  private long raiseNs;

  /** Memory ran out in a batch of this size. */
  public void onOutOfMemory(int batchItems, long nowNs) {
    failedAt = Math.max(1, batchItems);
    items = Math.max(1, Math.min(items, batchItems / 2));
    raiseNs = nowNs + RECOVERY_NS;
  }

  /** Returns how many items a batch may have now, {@link #NONE} for any number. */
  public int items(long nowNs) {
    while (items != NONE && raiseNs - nowNs <= 0) {
      items = items >= failedAt ? NONE : 2 * items;
      raiseNs += RECOVERY_NS;
    }
    return items;
  }
}
