package dev.conveyor.scheduler.residency;

import java.util.HashMap;
import java.util.Map;

/** Keeps what was asked for last, whatever its size and cost. Not thread-safe. */
public final class LeastRecentlyUsed implements EvictionPolicy {

  private final Map<String, Long> last = new HashMap<>();
  private long requests;

  @Override
  public void onRequests(String model, long count) {
    if (count > 0) {
      requests += count;
      last.put(model, requests);
    }
  }

  @Override
  public double value(String model, double costPerByte) {
    return last.getOrDefault(model, 0L);
  }

  @Override
  public void onEvicted(String model, double value) {}

  @Override
  public void forget(String model) {
    last.remove(model);
  }
}
