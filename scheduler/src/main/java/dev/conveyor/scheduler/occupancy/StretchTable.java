package dev.conveyor.scheduler.occupancy;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What batches do to each other on one device: the time of a batch that had company, relative to
 * the time it takes alone.
 *
 * <p>Not thread-safe: owned by the scheduler, one per device. At most {@link #MAX_PAIRS} pairs of
 * models are kept, those that met last.
 */
public final class StretchTable {

  /** Samples from which a stretch counts as known. */
  public static final int ENOUGH = 20;

  /** The same of a pair, which is rarer. */
  public static final int ENOUGH_OF_A_PAIR = 8;

  static final int MAX_PAIRS = 1024;

  private static final double NEWEST = 1.0 / 32;

  /**
   * A single run says nothing outside of these bounds, the upper one for each batch that runs at
   * once; something else happened to it.
   */
  private static final double MAX_STRETCH = 2;

  private static final double MIN_STRETCH = 0.25;

  private static final long PAIR_BELIEVED_NS = 30_000_000_000L;

  /** Less than this part of the work of one after the other is a loss, not noise. */
  private static final double WORTH_MEETING = 0.97;

  private record Pair(String model, String beside) {}

  /** A quotient of sums: a short run that was held up says less than a long one that was not. */
  private static final class Average {
    private double busyNs;
    private double soloNs;
    private int samples;
    private int weight;
    private long lastNs;

    void add(double busy, double solo, long nowNs) {
      // An even mean at first, then one that forgets.
      samples = Math.min(samples + 1, 1 << 20);
      // What was seen long ago is soon outweighed.
      weight = nowNs - lastNs > PAIR_BELIEVED_NS ? Math.min(weight, 2) + 1 : weight + 1;
      weight = Math.min(weight, 1 << 20);
      double part = Math.max(NEWEST, 1.0 / weight);
      busyNs += (busy - busyNs) * part;
      soloNs += (solo - soloNs) * part;
      lastNs = nowNs;
    }

    double stretch() {
      return busyNs / soloNs;
    }
  }

  private final Average[] levels;
  private final Map<Pair, Average> pairs =
      new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Pair, Average> eldest) {
          return size() > MAX_PAIRS;
        }
      };

  /**
   * Creates an empty table.
   *
   * @param maxConcurrency most batches that are told apart
   */
  public StretchTable(int maxConcurrency) {
    this.levels = new Average[maxConcurrency + 1];
    for (int level = 0; level < levels.length; level++) {
      levels[level] = new Average();
    }
  }

  /**
   * Takes note of one run.
   *
   * @param concurrency batches on the device meanwhile, on average, this one included
   * @param beside the model of the other batch if there was exactly one; null otherwise
   */
  public void record(
      String model,
      @Nullable String beside,
      int concurrency,
      long busyNs,
      long soloNs,
      long nowNs) {
    if (soloNs <= 0 || concurrency < 2) {
      return;
    }
    double solo = (double) soloNs;
    double busy = solo * Math.max(MIN_STRETCH, Math.min(MAX_STRETCH * concurrency, busyNs / solo));
    // Who is kept apart says nothing of what a number of batches does.
    if (beside == null || !areBetterApart(model, beside, nowNs)) {
      levels[Math.min(concurrency, levels.length - 1)].add(busy, solo, nowNs);
    }
    if (beside != null) {
      pairs.computeIfAbsent(new Pair(model, beside), pair -> new Average()).add(busy, solo, nowNs);
    }
  }

  /** Returns the stretch of a batch among {@code concurrency}; 0 while it is not known. */
  public double stretch(int concurrency) {
    if (concurrency <= 1) {
      return 1;
    }
    Average level = levels[Math.min(concurrency, levels.length - 1)];
    return level.samples < ENOUGH ? 0 : level.stretch();
  }

  /** Returns the same if a sample came after {@code sinceNs}, otherwise 0. */
  public double stretchSince(int concurrency, long sinceNs) {
    if (concurrency <= 1) {
      return 1;
    }
    Average level = levels[Math.min(concurrency, levels.length - 1)];
    return level.samples < ENOUGH || level.lastNs - sinceNs < 0 ? 0 : level.stretch();
  }

  /** Returns what a model suffers beside another; 0 while it is not known. */
  public double stretch(String model, String beside) {
    Average pair = pairs.get(new Pair(model, beside));
    return pair == null || pair.samples < ENOUGH_OF_A_PAIR ? 0 : pair.stretch();
  }

  /**
   * Returns true if two models do less side by side than one after the other, as was seen within
   * the last half minute; what is older is to be seen again.
   */
  public boolean areBetterApart(String model, String other, long nowNs) {
    double one = stretchSince(model, other, nowNs - PAIR_BELIEVED_NS);
    double two = stretchSince(other, model, nowNs - PAIR_BELIEVED_NS);
    return one > 0 && two > 0 && 1 / one + 1 / two < WORTH_MEETING;
  }

  private double stretchSince(String model, String beside, long sinceNs) {
    Average pair = pairs.get(new Pair(model, beside));
    return pair == null || pair.lastNs - sinceNs < 0 ? 0 : stretch(model, beside);
  }

  /** Forgets the pairs of a model that is gone. */
  public void forget(String model) {
    pairs.keySet().removeIf(pair -> pair.model.equals(model) || pair.beside.equals(model));
  }
}
