package dev.conveyor.scheduler.profile;

import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The cost of a batch by its size, at one concurrency: samples per size, and a table of predictions
 * made from them.
 *
 * <p>Not thread-safe: owned by its {@link CostProfile}. A prediction is a look into the table,
 * which is made anew, in time linear in the number of sizes, by the first prediction after a sample
 * that may change it: any of the first ones, later on every few.
 *
 * <ol>
 *   <li>Each size that has run stands for itself, by the quantiles of its last runs. Medians are
 *       made monotone by weighted isotonic regression (pool adjacent violators), in which recent
 *       and plentiful samples count more: a running maximum would turn noise into cost wherever
 *       batching is almost free. Tails take the running maximum, to be on the safe side.
 *   <li>Between two sizes a prediction is interpolated.
 *   <li>Beyond them it follows the line {@code alpha * items + beta}, both not negative, that fits
 *       the medians with the least relative squares; with one size it is proportional to the size.
 *       It rises to {@link #UNSEEN} times the line at twice the largest size. Medians need no
 *       winsorising before the fit: one outlier does not move them.
 *   <li>A size that has not run for {@link #RECENT} samples of others is believed to take no longer
 *       than if it had never run, so that it is tried again: exploration needs no runs of its own.
 *   <li>A size with few samples, or old ones, takes its tail from the spread of all: their runs
 *       relative to what was predicted. One bad start of one size would otherwise stand for ever in
 *       the way of every larger one.
 * </ol>
 */
final class CostTable {

  /** The quantiles that are kept ready, in ascending order. */
  static final double[] LEVELS = {0.5, 0.9, 0.95, 0.99};

  private static final double UNSEEN = 1.25;

  /** Fewer samples than this know little about their own tail. */
  private static final int OWN_TAIL = 32;

  /** After so many samples of other sizes, what a size took counts half. */
  private static final int HALF_LIFE = 512;

  /** What a sample counts after so many others of a half-life. */
  private static final double[] DECAY = new double[HALF_LIFE];

  static {
    for (int age = 0; age < HALF_LIFE; age++) {
      DECAY[age] = Math.pow(0.5, (double) age / HALF_LIFE);
    }
  }

  /** After so many samples of other sizes, a size's own tail is history. */
  private static final long RECENT = 1024;

  /** A size that has run less often changes the table at once. */
  private static final int FEW = 4;

  /** The more there is to go by, the less one more run changes: it waits for others, up to 8. */
  private static final long SAMPLES_PER_PENDING = 8;

  private static final long MOST_PENDING = 8;

  private @Nullable SizeCost[] costs = new @Nullable SizeCost[1];

  /**
   * Of each size its runs, their median and the table's sample that it got last, side by side: to
   * make the table anew reads these, and not every ring.
   */
  private int[] counts = new int[1];

  private double[] medians = new double[1];
  private long[] lastSeen = new long[1];

  private final SpeedIndex speed = new SpeedIndex();

  /** By level and size, in one array: {@code stride} values of each level. */
  private double[] predicted = {};

  private int stride;
  private final LineFit line = new LineFit();
  private final Monotone monotone = new Monotone();
  private int highest = -1;
  private long samples;
  private long relearned;
  private boolean stale;

  /** Samples that the table does not know of yet. */
  private int pending;

  /** Runs relative to what was predicted for them. */
  private final SampleRing spread = new SampleRing(2 * SizeCost.WINDOW);

  private double provisionalNs;
  private int provisionalItems;

  /** Learns from one run; returns false if it was one of the first of its size and left out. */
  boolean record(int items, long ns) {
    SizeCost cost = cost(items);
    if (cost.skips()) {
      provisionalNs = ns;
      provisionalItems = items;
      return false;
    }
    add(items, ns, cost);
    return true;
  }

  /** Learns from one run of a size that has been warmed up elsewhere. */
  void learn(int items, long ns) {
    SizeCost cost = cost(items);
    cost.warm();
    add(items, ns, cost);
  }

  /** Takes over a sample; they come in any order, so they cannot show that a cost changed. */
  void seed(int items, long ns) {
    SizeCost cost = cost(items);
    cost.warm();
    cost.ring.add(atTop(items, ns));
    added(SizeBuckets.of(items), cost, true);
  }

  private void add(int items, long ns, SizeCost cost) {
    if (cost.isKnown()) {
      spread.add(Math.min(SizeCost.OUTLIER, ns / Math.max(1, predict(items, 0))));
    }
    int bucket = SizeBuckets.of(items);
    double atTopNs = atTop(items, ns);
    boolean changed = cost.record(atTopNs);
    speed.ran(bucket, atTopNs);
    added(bucket, cost, changed);
    if (counts[bucket] >= FEW) {
      speed.settle(bucket); // not by seeds alone: stored ones come with the smallest first
    }
    if (changed) {
      relearned++;
      compareOthers(bucket);
    }
  }

  /**
   * One size has changed. Sizes that look too slow to meet a deadline do not run, and so would
   * never show that they have become faster, too: those that were not seen meanwhile are taken to
   * have become as much faster as all that ran since they did. If one has not, three runs tell.
   */
  private void compareOthers(int changed) {
    for (int bucket = 0; bucket <= highest; bucket++) {
      if (bucket != changed
          && counts[bucket] > 0
          && lastSeen[bucket] <= samples - SizeCost.FASTER_RUNS) {
        ring(bucket).scale(speed.reduce(bucket));
        medians[bucket] = ring(bucket).median();
      }
    }
    spread.keepNewest(0);
  }

  /** Sizes that share a bucket are brought to its largest. */
  private double atTop(int items, long ns) {
    return ns + line.alpha() * (SizeBuckets.size(SizeBuckets.of(items)) - items);
  }

  private void added(int bucket, SizeCost cost, boolean atOnce) {
    samples++;
    pending++;
    counts[bucket] = cost.ring.count();
    medians[bucket] = cost.ring.median();
    lastSeen[bucket] = samples;
    speed.seen(bucket, medians[bucket]);
    highest = Math.max(highest, bucket);
    stale |=
        atOnce
            || cost.ring.count() < FEW
            || pending >= Math.min(MOST_PENDING, samples / SAMPLES_PER_PENDING);
  }

  /** Returns a table that has learned the same samples, if not in the same order. */
  CostTable copy() {
    CostTable copy = new CostTable();
    for (int bucket = 0; bucket <= highest; bucket++) {
      SizeCost cost = known(bucket);
      if (cost != null) {
        for (double ns : cost.ring.spread(SizeCost.WINDOW)) {
          copy.seed(SizeBuckets.size(bucket), (long) ns);
        }
      }
    }
    return copy;
  }

  /** Returns false until something can be predicted. */
  boolean isKnown() {
    return highest >= 0 || provisionalItems > 0;
  }

  /** Returns the samples that the prediction of a size rests on. */
  int samplesOf(int items) {
    int bucket = SizeBuckets.of(items);
    return bucket < counts.length ? counts[bucket] : 0;
  }

  /** Returns the number of times that a size was found to have changed. */
  long relearned() {
    return relearned;
  }

  int highest() {
    return highest;
  }

  @Nullable SizeCost known(int bucket) {
    SizeCost cost = bucket < costs.length ? costs[bucket] : null;
    return cost != null && cost.isKnown() ? cost : null;
  }

  /** Returns the line of the medians. */
  LineFit line() {
    refresh();
    return line;
  }

  /** Returns the index of the smallest of {@link #LEVELS} that is not below {@code quantile}. */
  static int level(double quantile) {
    int level = 0;
    while (level < LEVELS.length - 1 && LEVELS[level] < quantile) {
      level++;
    }
    return level;
  }

  /** Returns the time of a batch at one of the {@link #LEVELS}; 0 if nothing is known. */
  double predict(int items, int level) {
    if (highest < 0) {
      return provisionalItems == 0
          ? 0
          : Math.max(provisionalNs, provisionalNs * items / provisionalItems);
    }
    refresh();
    int bucket = SizeBuckets.of(items);
    if (bucket > highest) {
      return beyond(items, level);
    }
    int at = level * stride + bucket;
    int size = SizeBuckets.size(bucket);
    if (items >= size || bucket == 0) {
      return predicted[at];
    }
    int below = SizeBuckets.size(bucket - 1);
    double part = (double) (items - below) / (size - below);
    return predicted[at - 1] + part * (predicted[at] - predicted[at - 1]);
  }

  private double beyond(int items, int level) {
    int top = SizeBuckets.size(highest);
    double topNs = predicted[level * stride + highest];
    double tail = topNs / Math.max(1, predicted[highest]);
    double pessimism = 1 + (UNSEEN - 1) * Math.min(1, (double) (items - top) / top);
    return Math.max(topNs, line.at(items) * pessimism * tail);
  }

  private SampleRing ring(int bucket) {
    return Objects.requireNonNull(costs[bucket]).ring;
  }

  private SizeCost cost(int items) {
    int bucket = SizeBuckets.of(items);
    if (bucket >= costs.length) {
      int length = Math.min(SizeBuckets.COUNT, Math.max(bucket + 1, bucket * 2));
      costs = Arrays.copyOf(costs, length);
      counts = Arrays.copyOf(counts, length);
      medians = Arrays.copyOf(medians, length);
      lastSeen = Arrays.copyOf(lastSeen, length);
      speed.grow(length);
    }
    SizeCost cost = costs[bucket];
    if (cost == null) {
      cost = new SizeCost();
      costs[bucket] = cost;
    }
    return cost;
  }

  /** All levels are made from the same samples, so that none is below a lower one. */
  private void refresh() {
    if (!stale) {
      return;
    }
    stale = false;
    pending = 0;
    makeMedians();
    for (int level = 1; level < LEVELS.length; level++) {
      makeTail(level);
    }
  }

  private static double decay(long age) {
    int lives = (int) Math.min(age / HALF_LIFE, -Double.MIN_EXPONENT);
    return Math.scalb(DECAY[(int) (age % HALF_LIFE)], -lives);
  }

  private void makeMedians() {
    if (stride <= highest) {
      stride = highest + 1;
      predicted = new double[LEVELS.length * stride];
    }
    line.clear();
    monotone.clear();
    for (int bucket = 0; bucket <= highest; bucket++) {
      if (counts[bucket] > 0) {
        line.add(SizeBuckets.size(bucket), medians[bucket], weight(bucket));
      }
    }
    line.fit();
    for (int bucket = 0; bucket <= highest; bucket++) {
      if (counts[bucket] > 0) {
        monotone.add(bucket, believed(bucket), weight(bucket));
      }
    }
    monotone.fill(predicted);
    fillGaps(0);
  }

  private double weight(int bucket) {
    return Math.max(1e-9, counts[bucket] * decay(samples - lastSeen[bucket]));
  }

  /**
   * The median of a size, but of one that has not run for long at most what would be predicted had
   * it never run. One that was slow for a while would otherwise not be tried again.
   */
  private double believed(int bucket) {
    double median = medians[bucket];
    boolean old = samples - lastSeen[bucket] >= RECENT && line.points() > 2;
    return old ? Math.min(median, UNSEEN * line.at(SizeBuckets.size(bucket))) : median;
  }

  /** A running maximum of quantiles, so that no level is below a lower one. */
  private void makeTail(int level) {
    int base = level * stride;
    double q = LEVELS[level];
    double others = spread.count() == 0 ? 1 : Math.max(1, spread.quantile(q));
    double floorNs = 0;
    for (int bucket = 0; bucket <= highest; bucket++) {
      if (counts[bucket] > 0) {
        double median = predicted[bucket];
        boolean own = counts[bucket] >= OWN_TAIL && samples - lastSeen[bucket] < RECENT;
        double tail = own ? 0 : median * others;
        if (own || spread.count() < OWN_TAIL) {
          tail = Math.max(tail, ring(bucket).quantile(q));
        }
        // Never below the median, which may have been raised by a smaller size.
        floorNs = Math.max(floorNs, Math.max(tail, median));
        predicted[base + bucket] = floorNs;
      }
    }
    fillGaps(base);
  }

  /** Works out the sizes between those that have run; {@code base} is where the level begins. */
  private void fillGaps(int base) {
    int below = -1;
    for (int bucket = 0; bucket <= highest; bucket++) {
      if (counts[bucket] == 0) {
        continue;
      }
      int size = SizeBuckets.size(bucket);
      double ns = predicted[base + bucket];
      for (int gap = below + 1; gap < bucket; gap++) {
        int gapSize = SizeBuckets.size(gap);
        if (below < 0) {
          predicted[base + gap] = base == 0 ? belowAll(gapSize, ns) : scaledTail(ns, gap, bucket);
        } else {
          int belowSize = SizeBuckets.size(below);
          double belowNs = predicted[base + below];
          double part = (double) (gapSize - belowSize) / (size - belowSize);
          predicted[base + gap] = belowNs + part * (ns - belowNs);
        }
      }
      below = bucket;
    }
  }

  private double belowAll(int items, double smallestNs) {
    return line.points() < 2 ? smallestNs : Math.min(smallestNs, line.at(items) * UNSEEN);
  }

  /** The tail relative to the median is that of the smallest size known. */
  private double scaledTail(double ns, int gap, int bucket) {
    return predicted[gap] * ns / Math.max(1, predicted[bucket]);
  }
}
