package dev.conveyor.scheduler.batching;

import dev.conveyor.scheduler.InferenceRequest;

/**
 * How much waits in a queue, in all and by priority level.
 *
 * <p>Not thread-safe: owned by its {@link RequestQueue}. A request counts for its own level, also
 * while it is delayed or has aged into another.
 */
final class QueueCounts {

  private final int[] requestsOfLevel;
  private final int[] itemsOfLevel;
  private int requests;
  private int items;
  private long bytes;

  /** Creates counts of nothing, for levels 1, the highest, to {@code levels}. */
  QueueCounts(int levels) {
    requestsOfLevel = new int[levels + 1];
    itemsOfLevel = new int[levels + 1];
  }

  void add(InferenceRequest request, int level) {
    count(request, level, 1);
  }

  void remove(InferenceRequest request, int level) {
    count(request, level, -1);
  }

  private void count(InferenceRequest request, int level, int sign) {
    requestsOfLevel[level] += sign;
    itemsOfLevel[level] += sign * request.batchSize();
    requests += sign;
    items += sign * request.batchSize();
    bytes += sign * request.inputBytes();
  }

  int requests() {
    return requests;
  }

  int requests(int level) {
    return requestsOfLevel[level];
  }

  /** Returns the sum of the batch sizes. */
  int items() {
    return items;
  }

  /** Returns the same of a level and those above it. */
  int itemsUpTo(int level) {
    if (level == itemsOfLevel.length - 1) {
      return items;
    }
    int sum = 0;
    for (int higher = 1; higher <= level; higher++) {
      sum += itemsOfLevel[higher];
    }
    return sum;
  }

  /** Returns the sum of the sizes of all inputs. */
  long bytes() {
    return bytes;
  }
}
