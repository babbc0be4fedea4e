package dev.conveyor.scheduler.residency;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The value of a model is the probability that the next request is for it, times cost per byte.
 *
 * <p>The probability is a mixture of request frequencies over five windows, from the last ten
 * requests to the last hundred thousand, each fading exponentially. Which window tells most about
 * the future depends on the load: for independent arrivals it is the longest, for bursts the
 * shortest. So the weights of the windows are learned while serving, all models together: every
 * request is credited to the windows in proportion to the probability that each had given it, which
 * is one step of expectation maximisation for the weights of a mixture, with slow forgetting.
 *
 * <p>Time is counted in requests, not in seconds: nothing has to be tuned to the rate of the load,
 * and a quiet night forgets nothing. A window that has not yet seen as many requests as it spans is
 * scaled up to what it has seen.
 *
 * <p>Why not GreedyDual-Size-Frequency, which loads so expensive are usually left to: its
 * frequencies start again after every eviction, so that on the loads of {@link ResidencyBench} it
 * loads 10 to 30 % more bytes than this does.
 *
 * <p>Not thread-safe. Costs five exponentials per call of {@link #onRequests} and of {@link
 * #value}.
 */
public final class RequestForecast implements EvictionPolicy {

  private static final double[] WINDOWS = {10, 100, 1_000, 10_000, 100_000};

  /** The weights follow about the last thousand requests. */
  private static final double FORGETTING = 0.999;

  /**
   * So much credit a window keeps, of about a thousand, to be found again when the load changes.
   */
  private static final double MIN_CREDIT = 0.5;

  private static final class Entry {
    private final double[] frequencies = new double[WINDOWS.length];
    private long updated;
  }

  private final Map<String, Entry> entries = new HashMap<>();
  private final double[] credits = new double[WINDOWS.length];
  private double allCredits;
  private long requests;

  public RequestForecast() {
    Arrays.fill(credits, 4);
    allCredits = 4.0 * WINDOWS.length;
  }

  @Override
  public void onRequests(String model, long count) {
    if (count <= 0) {
      return;
    }
    Entry entry = entries.get(model);
    requests += count;
    if (entry == null) {
      entry = new Entry();
      entry.updated = requests;
      entries.put(model, entry);
    } else {
      learn(entry, count);
    }
    for (int w = 0; w < WINDOWS.length; w++) {
      // The requests of this call, one after the other, each faded by those behind it.
      double added = Math.expm1(-count / WINDOWS[w]) / Math.expm1(-1 / WINDOWS[w]) / WINDOWS[w];
      entry.frequencies[w] = faded(entry, w) + added;
    }
    entry.updated = requests;
  }

  @Override
  public double value(String model, double costPerByte) {
    Entry entry = entries.get(model);
    return entry == null ? 0 : probability(entry) * costPerByte;
  }

  @Override
  public void onEvicted(String model, double value) {}

  @Override
  public void forget(String model) {
    entries.remove(model);
  }

  /** Returns the weight of each window, shortest first; their sum is 1. */
  double[] weights() {
    double[] weights = new double[WINDOWS.length];
    Arrays.setAll(weights, w -> credits[w] / allCredits);
    return weights;
  }

  private void learn(Entry entry, long count) {
    double probability = probability(entry);
    if (!(probability > 0)) {
      return;
    }
    double kept = Math.pow(FORGETTING, (double) count);
    double sum = 0;
    for (int w = 0; w < WINDOWS.length; w++) {
      double share = credits[w] / allCredits * frequency(entry, w) / probability;
      credits[w] = Math.max(MIN_CREDIT, credits[w] * kept + count * share);
      sum += credits[w];
    }
    allCredits = sum;
  }

  private double probability(Entry entry) {
    double probability = 0;
    for (int w = 0; w < WINDOWS.length; w++) {
      probability += credits[w] * frequency(entry, w);
    }
    return probability / allCredits;
  }

  private double frequency(Entry entry, int window) {
    return faded(entry, window) / -Math.expm1(-Math.max(1, requests) / WINDOWS[window]);
  }

  private double faded(Entry entry, int window) {
    return entry.frequencies[window] * Math.exp((entry.updated - requests) / WINDOWS[window]);
  }
}
