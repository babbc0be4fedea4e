package dev.conveyor.scheduler.residency;

import java.util.HashMap;
import java.util.Map;

/**
 * The value of a model is {@code L + frequency * cost / bytes}, where {@code L} is the value of the
 * last victim when the model was last asked for: what is not asked for is overtaken by what is.
 *
 * <p>Not thread-safe. L. Cherkasova, "Improving WWW Proxies Performance with
 * Greedy-Dual-Size-Frequency Caching Policy", HP Labs 1998; as there, an evicted model starts again
 * at frequency zero.
 */
public final class GreedyDualSizeFrequency implements EvictionPolicy {

  private static final class Entry {
    private double age;
    private long frequency;
  }

  private final Map<String, Entry> entries = new HashMap<>();
  private double age;

  @Override
  public void onRequests(String model, long count) {
    if (count > 0) {
      Entry entry = entries.computeIfAbsent(model, m -> new Entry());
      entry.age = age;
      entry.frequency += count;
    }
  }

  @Override
  public double value(String model, double costPerByte) {
    Entry entry = entries.get(model);
    return entry == null ? 0 : entry.age + entry.frequency * costPerByte;
  }

  @Override
  public void onEvicted(String model, double value) {
    age = Math.max(age, value);
    entries.remove(model);
  }

  @Override
  public void forget(String model) {
    entries.remove(model);
  }
}
