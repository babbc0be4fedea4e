package dev.conveyor.models.tune;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * The settings to choose from: every combination of these values that makes sense. Immutable.
 *
 * @param idleThreads of executions while nothing else wants the cores, 0 for no difference; those
 *     that are no more than the threads otherwise are not tried
 * @param cores that the instances share; more threads than {@link #MOST_PER_CORE} for each are not
 *     tried
 */
public record SearchSpace(
    List<Integer> instances,
    List<Integer> threads,
    List<Integer> idleThreads,
    List<Integer> maxBatchSizes,
    List<Long> maxQueueDelayMicros,
    List<Long> versions,
    List<String> providers,
    int cores) {

  static final int MOST_PER_CORE = 2;

  public SearchSpace {
    instances = values("instances", instances, 1);
    threads = values("threads", threads, 1);
    idleThreads = values("idle threads", idleThreads, 0);
    maxBatchSizes = values("batch sizes", maxBatchSizes, 0);
    maxQueueDelayMicros = List.copyOf(maxQueueDelayMicros);
    versions = List.copyOf(versions);
    providers = List.copyOf(providers);
    if (maxQueueDelayMicros.isEmpty() || versions.isEmpty() || providers.isEmpty()) {
      throw new IllegalArgumentException("delays, versions and providers: one value or more each");
    }
    if (maxQueueDelayMicros.stream().anyMatch(delay -> delay < 0)) {
      throw new IllegalArgumentException(
          "delays: expected 0 us or more, found " + maxQueueDelayMicros);
    }
  }

  /** Returns 1, 2, 4 and so on, ending with {@code largest}. */
  public static List<Integer> doubling(int largest) {
    List<Integer> values = new ArrayList<>();
    for (int value = 1; value < largest; value *= 2) {
      values.add(value);
    }
    values.add(largest);
    return values;
  }

  /** Returns every combination, without those that differ in nothing that counts. */
  public List<Setting> settings() {
    List<Setting> settings = new ArrayList<>();
    for (long version : versions) {
      for (String provider : providers) {
        for (int count : instances) {
          for (int thread : threads) {
            if (count * thread <= MOST_PER_CORE * cores) {
              addIdle(settings, count, thread, version, provider);
            }
          }
        }
      }
    }
    return settings;
  }

  private void addIdle(List<Setting> into, int count, int thread, long version, String provider) {
    for (int idle : idleThreads) {
      if (idle == 0 || (idle > thread && thread < cores)) {
        addBatching(into, count, thread, Math.min(idle, cores), version, provider);
      }
    }
  }

  private void addBatching(
      List<Setting> into, int count, int thread, int idle, long version, String provider) {
    for (int batch : maxBatchSizes) {
      for (long delay : batch > 1 ? maxQueueDelayMicros : maxQueueDelayMicros.subList(0, 1)) {
        long waitMicros = batch > 1 ? delay : 0;
        into.add(new Setting(count, thread, idle, batch, waitMicros, version, provider));
      }
    }
  }

  private static List<Integer> values(String what, List<Integer> values, int least) {
    if (values.isEmpty() || values.stream().anyMatch(value -> value < least)) {
      throw new IllegalArgumentException(
          "%s: expected values of %d or more, found %s".formatted(what, least, values));
    }
    return List.copyOf(new TreeSet<>(values));
  }
}
