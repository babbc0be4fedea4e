package dev.conveyor.verticles.chaos;

import java.time.Duration;
import java.util.List;

/**
 * What a run does.
 *
 * @param faults each is injected alone, then at random
 * @param alone how long each alone takes together, about; it takes longer if faults do
 * @param rounds how often each is injected alone: more of them make the latencies of more requests,
 *     and the times the worst of more
 * @param mix how long faults are then injected at random, several at once; zero for not at all
 * @param seed of the random order
 * @param patience how long to wait for an answer until it counts as lost
 */
public record ChaosPlan(
    List<Fault> faults, Duration alone, int rounds, Duration mix, long seed, Duration patience) {

  /** How long to wait for an answer, usually. */
  public static final Duration PATIENCE = Duration.ofSeconds(20);

  private static final long SHORTEST_WINDOW_MS = 200;
  private static final long LONGEST_WINDOW_MS = 10_000;
  private static final int SHARE = 4;

  public ChaosPlan {
    faults = List.copyOf(faults);
  }

  /** Returns how long the load may be kept up at most before the first fault, to warm up. */
  long warmUpMs() {
    return alone.toMillis() / SHARE;
  }

  /** Returns how long a window without a fault is, and one with a fault at least. */
  long windowMs() {
    long windows = 2L * faults.size() * rounds;
    return Math.min(
        LONGEST_WINDOW_MS,
        Math.max(SHORTEST_WINDOW_MS, (alone.toMillis() - warmUpMs()) / Math.max(1, windows)));
  }
}
