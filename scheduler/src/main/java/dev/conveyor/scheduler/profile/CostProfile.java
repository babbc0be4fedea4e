package dev.conveyor.scheduler.profile;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Learns how long a batch of one model takes on one device, by batch size and by how many batches
 * run there at once.
 *
 * <p>Not thread-safe: owned by the scheduler. To predict allocates nothing and is a look into a
 * table (see {@link CostTable}, which has the method).
 *
 * <p>The first two runs of a size are left out, because they pay for tuning, growing pools and cold
 * caches; they count only while nothing better is known. Of each size the last 64 runs count; what
 * is predicted may lag behind them by up to eight runs, but not behind a change. Three runs on end
 * above 1.3 times the median, or eight more below it by as much than not, mean that the cost has
 * changed: everything older is forgotten. (Clockwork keeps the last 10 and takes their maximum for
 * the tail; that is exceeded by one run in eleven.)
 *
 * <p>What all sizes lately took longer or less than that multiplies every prediction ({@link
 * Drift}).
 *
 * <p>A larger batch is never predicted to be faster than a smaller one. Sizes that have not run are
 * interpolated, or predicted with up to a quarter of pessimism beyond the largest that has.
 *
 * <p>While all runs happen at one concurrency there is one table. As soon as it varies each level
 * has its own beside the common one, which answers whoever does not say how much will run beside,
 * and for what a level has fewer than {@link #LEVEL_SAMPLES} runs of.
 */
public final class CostProfile {

  /** What runs beside more batches than this is taken for as much. */
  public static final int MAX_CONCURRENCY = 8;

  /** Runs of a size from which a concurrency speaks for itself. */
  static final int LEVEL_SAMPLES = 8;

  private static final double TAIL = 0.99;
  private static final int TAIL_LEVEL = CostTable.level(TAIL);

  /** Of each size, what a snapshot hands on. */
  private static final int SAMPLES_PER_SIZE = 16;

  private final CostTable common = new CostTable();
  private final @Nullable CostTable[] levels = new @Nullable CostTable[MAX_CONCURRENCY + 1];
  private final PredictionError error = new PredictionError();
  private final Drift drift = new Drift();
  private @Nullable CostTable seeds;
  private int firstConcurrency;
  private boolean varies;
  private long seeded;

  /** Learns from one run that had the device for itself. */
  public void record(int items, long busyNs) {
    record(items, busyNs, 1);
  }

  /**
   * Learns from one run.
   *
   * @param concurrency batches on the device meanwhile, this one included, on average
   */
  public void record(int items, long busyNs, int concurrency) {
    long ns = Math.max(0, busyNs);
    int level = level(concurrency);
    double typicalNs = 0;
    if (common.samplesOf(items) > 0) {
      CostTable table = table(items, level);
      typicalNs = table.predict(items, 0);
      error.score(
          (double) ns,
          drifted(typicalNs, 0),
          drifted(table.predict(items, TAIL_LEVEL), TAIL_LEVEL));
    }
    long relearned = common.relearned();
    if (!varies && firstConcurrency != 0 && firstConcurrency != level) {
      // All there is so far was learned at the first level.
      varies = true;
      levels[firstConcurrency] = common.copy();
    }
    if (common.record(items, ns)) {
      learnAt(level, items, ns);
    }
    if (common.relearned() != relearned) {
      drift.clear();
    } else if (typicalNs > 0) {
      drift.add(ns / typicalNs);
    }
  }

  private double drifted(double ns, int level) {
    return ns * (level == 0 ? drift.factor() : drift.tailFactor());
  }

  private void learnAt(int level, int items, long ns) {
    if (firstConcurrency == 0) {
      firstConcurrency = level;
    }
    if (!varies) {
      return;
    }
    CostTable table = levels[level];
    if (table == null) {
      table = new CostTable();
      levels[level] = table;
    }
    table.learn(items, ns);
  }

  /**
   * Learns from a run that was no request: of a warm-up, or stored from an earlier time. It is
   * taken as it is, also if it is the first of its size.
   */
  public void seed(int items, long busyNs) {
    seeded++;
    common.seed(items, Math.max(0, busyNs));
    if (seeds == null) {
      seeds = new CostTable();
    }
    seeds.seed(items, Math.max(0, busyNs));
  }

  /** Returns false until a batch has run; nothing can be predicted before. */
  public boolean isKnown() {
    return common.isKnown();
  }

  /** Returns the time that half of the batches do not exceed; 0 if nothing is known. */
  public long predictNs(int items) {
    return predictLevelNs(items, 0);
  }

  /**
   * Returns the time that a batch does not exceed with a probability.
   *
   * @param quantile of 0.5, 0.9, 0.95 and 0.99 the first that is not below it is taken; above there
   *     is nothing to learn from 64 runs
   */
  public long predictNs(int items, double quantile) {
    return predictLevelNs(items, CostTable.level(quantile));
  }

  /** Returns what {@link #predictLevelNs} takes for a quantile: to be worked out once. */
  public static int levelOf(double quantile) {
    return CostTable.level(quantile);
  }

  /** Returns the time that a batch does not exceed, at a level of {@link #levelOf}. */
  public long predictLevelNs(int items, int level) {
    return (long) drifted(common.predict(items, level), level);
  }

  /** Returns the same for a batch that runs as one of {@code concurrency} on the device. */
  public long predictNs(int items, double quantile, int concurrency) {
    int at = CostTable.level(quantile);
    return (long) drifted(table(items, level(concurrency)).predict(items, at), at);
  }

  /** Returns a time that a batch rarely exceeds: the 99th percentile; 0 if nothing is known. */
  public long predictTailNs(int items) {
    return predictNs(items, TAIL);
  }

  /** Returns by how much 95 % of the batches stay below their prediction: a safe margin. */
  public long marginNs(int items) {
    return predictNs(items, 0.95) - predictNs(items);
  }

  /**
   * Returns the time of a batch that runs alone, by such runs if there were enough, otherwise by
   * what it was seeded with, which ran alone in a warm-up; 0 if there is neither.
   */
  public long soloNs(int items) {
    if (!varies && firstConcurrency <= 1) {
      return predictNs(items);
    }
    CostTable solo = levels[1];
    if (solo == null || solo.samplesOf(items) < LEVEL_SAMPLES) {
      solo = seeds;
    }
    return solo == null ? 0 : (long) drifted(solo.predict(items, 0), 0);
  }

  private static int level(int concurrency) {
    return Math.max(1, Math.min(MAX_CONCURRENCY, concurrency));
  }

  private CostTable table(int items, int level) {
    CostTable table = levels[level];
    return table == null || table.samplesOf(items) < LEVEL_SAMPLES ? common : table;
  }

  /** Returns what was learned. Takes time in proportion to the sizes. */
  public ProfileSnapshot snapshot() {
    List<ProfileSnapshot.Concurrency> byConcurrency = new ArrayList<>();
    for (int level = 1; level <= MAX_CONCURRENCY; level++) {
      CostTable table = levels[level];
      if (table != null) {
        byConcurrency.add(new ProfileSnapshot.Concurrency(level, sizes(table)));
      }
    }
    return new ProfileSnapshot(
        sizes(common),
        byConcurrency,
        samples(common),
        common.line().alpha(),
        common.line().beta(),
        common.relearned(),
        seeded,
        error.snapshot());
  }

  private static List<CostSample> samples(CostTable table) {
    List<CostSample> samples = new ArrayList<>();
    for (int bucket = 0; bucket <= table.highest(); bucket++) {
      SizeCost cost = table.known(bucket);
      if (cost != null) {
        for (double ns : cost.ring.spread(SAMPLES_PER_SIZE)) {
          samples.add(new CostSample(SizeBuckets.size(bucket), (long) ns));
        }
      }
    }
    return samples;
  }

  private List<ProfileSnapshot.Size> sizes(CostTable table) {
    List<ProfileSnapshot.Size> sizes = new ArrayList<>();
    for (int bucket = 0; bucket <= table.highest(); bucket++) {
      SizeCost cost = table.known(bucket);
      if (cost != null) {
        int items = SizeBuckets.size(bucket);
        sizes.add(
            new ProfileSnapshot.Size(
                items,
                cost.ring.count(),
                cost.ring.median(),
                cost.ring.quantile(0.95),
                cost.ring.quantile(TAIL),
                drifted(table.predict(items, 0), 0),
                drifted(table.predict(items, TAIL_LEVEL), TAIL_LEVEL)));
      }
    }
    return sizes;
  }
}
