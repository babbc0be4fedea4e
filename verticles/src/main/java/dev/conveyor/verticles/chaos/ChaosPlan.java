package dev.conveyor.verticles.chaos;

import java.time.Duration;
import java.util.List;

/**
 * What a run does.
 *
 * @param faults each is injected alone, then at random
 * @param duration of the whole, about; a run takes longer if faults do
 * @param rounds how often each is injected alone: more of them make the latencies of more requests,
 *     and the times the worst of more
 * @param seed of the random order
 * @param patience how long to wait for an answer until it counts as lost
 */
public record ChaosPlan(
    List<Fault> faults, Duration duration, int rounds, long seed, Duration patience) {

  /** How long to wait for an answer, usually. */
  public static final Duration PATIENCE = Duration.ofSeconds(20);

  private static final long SHORTEST_WINDOW_MS = 500;

  /** What a long run has left is for the mix. */
  private static final long LONGEST_WINDOW_MS = 3_000;

  public ChaosPlan {
    faults = List.copyOf(faults);
  }

  /** Creates a plan of one round, for clients of the usual patience. */
  public ChaosPlan(List<Fault> faults, Duration duration) {
    this(faults, duration, 1, 1, PATIENCE);
  }

  /** Returns how long the load may be kept up at most before the first fault, to warm up. */
  long warmUpMs() {
    return duration.toMillis() / 4;
  }

  /** Returns how long it is looked at what happens before and after a fault. */
  long windowMs() {
    long windows = 3L * faults.size() * rounds + 6;
    return Math.min(LONGEST_WINDOW_MS, Math.max(SHORTEST_WINDOW_MS, duration.toMillis() / windows));
  }
}
