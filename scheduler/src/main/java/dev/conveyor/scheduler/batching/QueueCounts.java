package dev.conveyor.scheduler.batching;

import dev.conveyor.scheduler.InferenceRequest;

/**
 * How much waits in a queue, in all and by priority level.
 *
 * <p>Not thread-safe: owned by its {@link RequestQueue}. A request counts for its own level, also
 * while it is delayed or has aged into another.
 */
public final class QueueCounts {

  private final int[] requestsOfLevel;
  private final int[] itemsOfLevel;
  private final long[] bytesOfLevel;
  private final int defaultLevel;
  private int requests;
  private int items;
  private long bytes;

  /**
   * Creates counts of nothing, for levels 1, the highest, to {@code levels}.
   *
   * @param defaultLevel of requests that name none of them
   */
  QueueCounts(int levels, int defaultLevel) {
    this.defaultLevel = defaultLevel;
    requestsOfLevel = new int[levels + 1];
    itemsOfLevel = new int[levels + 1];
    bytesOfLevel = new long[levels + 1];
  }

  /** Returns the level that a request counts for. */
  public int level(InferenceRequest request) {
    int level = request.priority();
    return level < 1 || level > lowestLevel() ? defaultLevel : level;
  }

  /** Returns the level of requests that name none. */
  public int defaultLevel() {
    return defaultLevel;
  }

  void add(InferenceRequest request) {
    count(request, 1);
  }

  void remove(InferenceRequest request) {
    count(request, -1);
  }

  private void count(InferenceRequest request, int sign) {
    int level = level(request);
    requestsOfLevel[level] += sign;
    itemsOfLevel[level] += sign * request.batchSize();
    bytesOfLevel[level] += sign * request.inputBytes();
    requests += sign;
    items += sign * request.batchSize();
    bytes += sign * request.inputBytes();
  }

  /** Returns the lowest level, which is their number. */
  public int lowestLevel() {
    return requestsOfLevel.length - 1;
  }

  int requests() {
    return requests;
  }

  int requests(int level) {
    return requestsOfLevel[level];
  }

  /** Returns how many requests there are of a level and those above it. */
  public int requestsUpTo(int level) {
    return level == lowestLevel() ? requests : sumUpTo(requestsOfLevel, level);
  }

  /** Returns the sum of the batch sizes. */
  int items() {
    return items;
  }

  /** Returns the same of a level and those above it. */
  public int itemsUpTo(int level) {
    return level == lowestLevel() ? items : sumUpTo(itemsOfLevel, level);
  }

  private static int sumUpTo(int[] ofLevel, int level) {
    int sum = 0;
    for (int higher = 1; higher <= level; higher++) {
      sum += ofLevel[higher];
    }
    return sum;
  }

  /** Returns the sum of the sizes of all inputs. */
  long bytes() {
    return bytes;
  }

  /** Returns the same of a level and those above it. */
  public long bytesUpTo(int level) {
    if (level == lowestLevel()) {
      return bytes;
    }
    long sum = 0;
    for (int higher = 1; higher <= level; higher++) {
      sum += bytesOfLevel[higher];
    }
    return sum;
  }
}
