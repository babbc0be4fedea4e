package dev.conveyor.scheduler.occupancy;

import java.util.Locale;
import java.util.Optional;
import java.util.function.IntPredicate;

/**
 * Decides how many batches run at once on one device, by what is gained and what it costs.
 *
 * <p>Not thread-safe: owned by the scheduler, one per device. Reads no clock.
 *
 * <p>With c batches at once each takes stretch(c) times as long as alone, so the device does
 * gain(c) = c / stretch(c) times the work. Every 200 ms or 50 completions:
 *
 * <ul>
 *   <li>if the present gain is below 0.97 of the best known at a lower level, or no model could
 *       keep its objective, go back;
 *   <li>otherwise, if something waits, the present gain is known, and one more is not known to gain
 *       less than 5 %, try it. What a try showed counts for one second, after a second try in vain
 *       for two, and so on up to sixteen; to be wrong in giving up a level costs throughput for as
 *       long, to try in vain costs one period.
 * </ul>
 *
 * <p>A level is told by measured time, not by a utilisation counter, because those say that a
 * device did something, not that it could do no more (a saturated counter at gain 1 is common on
 * GPUs). On a CPU the cores are the first limit: the threads of running batches add up to at most
 * that many; this controller only takes back what memory bandwidth or caches do not carry.
 */
public final class ConcurrencyController {

  private static final long PERIOD_NS = 200_000_000;
  private static final int PERIOD_COMPLETIONS = 50;
  private static final long MEMORY_NS = 10_000_000_000L;
  private static final long LEAST_PATIENCE_NS = 1_000_000_000L;
  private static final long MOST_PATIENCE_NS = 16 * LEAST_PATIENCE_NS;
  private static final double WORTH_A_STEP = 1.05;
  private static final double NOT_WORTH_IT = 0.97;

  /** A change of the limit, for people. */
  public record Change(int from, int to, String reason) {}

  private final StretchTable stretches;
  private final int max;
  private int limit;
  private int completions;
  private long lastNs;
  private boolean started;
  private boolean waited;
  private boolean blocked;
  private long blockedNs;

  /** How long is believed what was seen of a level above. */
  private long patienceNs = LEAST_PATIENCE_NS / 2;

  private long changedNs;

  /** The last change was one upwards. */
  private boolean isHeld = true;

  /**
   * Creates a controller.
   *
   * @param start batches at once to begin with
   * @param max most batches at once, whatever they gain
   */
  public ConcurrencyController(StretchTable stretches, int start, int max) {
    if (start < 1 || max < start) {
      throw new IllegalArgumentException("1 <= start <= max, were " + start + ", " + max);
    }
    this.stretches = stretches;
    this.limit = start;
    this.max = max;
  }

  /** Returns how many batches may run at once. */
  public int limit() {
    return limit;
  }

  /**
   * Takes note of a completion; returns a change of the limit, if there is one.
   *
   * @param waits true if another batch could have run, had the limit been higher
   * @param withinObjective whether every model with an objective would still meet it, predicted at
   *     its 99th percentile with a tenth to spare, with so many batches at once
   */
  public Optional<Change> onCompletion(boolean waits, IntPredicate withinObjective, long nowNs) {
    if (!started) {
      started = true;
      lastNs = nowNs;
      changedNs = nowNs;
    }
    waited |= waits;
    completions++;
    if (completions < PERIOD_COMPLETIONS && nowNs - lastNs < PERIOD_NS) {
      return Optional.empty();
    }
    completions = 0;
    lastNs = nowNs;
    if (nowNs - changedNs >= MEMORY_NS && isHeld) {
      patienceNs = LEAST_PATIENCE_NS / 2;
    }
    boolean demand = waited;
    waited = false;
    Optional<Change> change = stepBack(withinObjective, nowNs);
    if (change.isEmpty() && demand) {
      change = stepUp(withinObjective, nowNs);
    }
    change.ifPresent(
        made -> {
          changedNs = nowNs;
          isHeld = made.to() > made.from();
        });
    return change;
  }

  private Optional<Change> stepBack(IntPredicate withinObjective, long nowNs) {
    if (limit == 1) {
      return Optional.empty();
    }
    if (!withinObjective.test(limit)) {
      blocked = true;
      blockedNs = nowNs;
      return change(limit - 1, "with %d at once an objective would be missed".formatted(limit));
    }
    double present = gain(limit, nowNs - MEMORY_NS);
    int best = limit;
    double bestGain = present;
    for (int level = 1; level < limit; level++) {
      double gain = gain(level, nowNs - MEMORY_NS);
      if (gain > bestGain) {
        best = level;
        bestGain = gain;
      }
    }
    if (present == 0 || present >= NOT_WORTH_IT * bestGain) {
      return Optional.empty();
    }
    patienceNs = Math.min(MOST_PATIENCE_NS, 2 * patienceNs);
    return change(
        best,
        String.format(
            Locale.ROOT,
            "%d at once do %.2f times the work of one, %d do %.2f",
            limit,
            present,
            best,
            bestGain));
  }

  private Optional<Change> stepUp(IntPredicate withinObjective, long nowNs) {
    if (limit == max || isBlocked(withinObjective, nowNs)) {
      return Optional.empty();
    }
    double present = gain(limit, nowNs - MEMORY_NS);
    double more = gain(limit + 1, nowNs - patienceNs);
    if (present == 0) {
      return Optional.empty();
    }
    if (more == 0) {
      return change(limit + 1, "batches wait and one more at once has not been tried lately");
    }
    return more > WORTH_A_STEP * present
        ? change(
            limit + 1,
            String.format(
                Locale.ROOT,
                "%d at once do %.2f times the work of one, %d do %.2f",
                limit + 1,
                more,
                limit,
                present))
        : Optional.empty();
  }

  /** What was seen at a level that is not run any more is believed for a while only. */
  private boolean isBlocked(IntPredicate withinObjective, long nowNs) {
    if (withinObjective.test(limit + 1)) {
      blocked = false;
    } else if (!blocked) {
      blocked = true;
      blockedNs = nowNs;
    } else if (nowNs - blockedNs >= MEMORY_NS) {
      blockedNs = nowNs;
      return false;
    }
    return blocked;
  }

  /** Returns the work done with so many at once, relative to one; 0 while it is not known. */
  private double gain(int level, long sinceNs) {
    double stretch = stretches.stretchSince(level, sinceNs);
    return stretch == 0 ? 0 : level / stretch;
  }

  private Optional<Change> change(int to, String reason) {
    Change change = new Change(limit, to, reason);
    limit = to;
    return Optional.of(change);
  }
}
