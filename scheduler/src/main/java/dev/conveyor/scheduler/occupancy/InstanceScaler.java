package dev.conveyor.scheduler.occupancy;

import java.util.Locale;
import java.util.Optional;

/**
 * Decides how many instances a model has, between its bounds, one step at a time.
 *
 * <p>Not thread-safe: owned by the supervisor, one per version of a model. Reads no clock.
 *
 * <p>Up, if 95 % of the requests wait longer than a quarter of the objective in two windows on end,
 * or more than 0.5 % are refused in one; down, if one fewer would do at 70 % load and requests
 * hardly wait (a twentieth of the objective) for a minute. The gap between a quarter and a
 * twentieth, and between ten seconds and a minute, is what keeps it from swinging. Queue delay is
 * what is acted on, not utilisation: an instance that is busy all the time may keep up, and one
 * that is not may have bursts.
 */
public final class InstanceScaler {

  private static final int SLOW_WINDOWS = 2;
  private static final double SLOW = 0.25;
  private static final double QUICK = 0.05;
  private static final double REFUSED = 0.005;
  private static final double FULL = 0.7;
  private static final long IDLE_NS = 60_000_000_000L;

  /**
   * What happened in one window, of about five seconds.
   *
   * @param queueDelayP95Ns 0 if there were no requests
   * @param objectiveNs what latency is held against
   * @param demand arriving work, in instances kept busy: arrivals per second times seconds per item
   * @param refusedShare of the requests, 0 to 1
   * @param fitsOneMore whether memory and cores are there for another instance
   */
  public record Window(
      int instances,
      long queueDelayP95Ns,
      long objectiveNs,
      double demand,
      double refusedShare,
      boolean fitsOneMore) {}

  /** What to do; {@code instances} is one more or one fewer than there are. */
  public record Step(int instances, String reason) {}

  private final int min;
  private final int max;
  private int slow;
  private long quickSinceNs;
  private boolean quick;

  /** Creates a scaler for {@code min} to {@code max} instances, both at least 1. */
  public InstanceScaler(int min, int max) {
    if (min < 1 || max < min) {
      throw new IllegalArgumentException("1 <= min <= max, were " + min + ", " + max);
    }
    this.min = min;
    this.max = max;
  }

  /** Returns how many instances would carry the demand at 70 % load. */
  public static int need(double demand) {
    return (int) Math.max(1, Math.ceil(demand / FULL));
  }

  /** Takes note of a window that just ended; returns a step, if one is due. */
  public Optional<Step> onWindow(Window window, long nowNs) {
    slow = window.queueDelayP95Ns > SLOW * window.objectiveNs ? slow + 1 : 0;
    boolean quickNow =
        window.queueDelayP95Ns < QUICK * window.objectiveNs && window.refusedShare == 0;
    if (!quickNow) {
      quick = false;
    } else if (!quick) {
      quick = true;
      quickSinceNs = nowNs;
    }
    if (window.instances < min) {
      return step(window.instances + 1, "min_count is " + min, nowNs);
    }
    if (slow >= SLOW_WINDOWS || window.refusedShare > REFUSED) {
      return stepUp(window, nowNs);
    }
    boolean spare = need(window.demand) + 1 <= window.instances;
    return quick && nowNs - quickSinceNs >= IDLE_NS && spare && window.instances > min
        ? step(
            window.instances - 1,
            String.format(
                Locale.ROOT,
                "work for %.2f instances, and 95 %% waited less than %.1f ms for a minute",
                window.demand,
                QUICK * window.objectiveNs / 1e6),
            nowNs)
        : Optional.empty();
  }

  private Optional<Step> stepUp(Window window, long nowNs) {
    if (window.instances >= max || !window.fitsOneMore) {
      return Optional.empty();
    }
    String reason =
        window.refusedShare > REFUSED
            ? String.format(Locale.ROOT, "%.1f %% refused", 100 * window.refusedShare)
            : String.format(
                Locale.ROOT,
                "5 %% waited longer than %.1f ms, of an objective of %.1f ms",
                window.queueDelayP95Ns / 1e6,
                window.objectiveNs / 1e6);
    return step(window.instances + 1, reason, nowNs);
  }

  private Optional<Step> step(int instances, String reason, long nowNs) {
    slow = 0;
    quickSinceNs = nowNs;
    return Optional.of(new Step(instances, reason));
  }
}
