package dev.conveyor.models.process;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Which spare worker to start, and when: the rule, without processes.
 *
 * <p>Not thread-safe: owned by {@link SpareWorkers}. Reads no clock.
 *
 * <p>A spare can only take the place of a worker that was started in the same way, so there are
 * spares for what is in use, and none where nothing is. If they cannot be for everything, they are
 * for what most workers are. Nobody waits for a spare: the next one is begun when nothing has
 * changed for a while, so that a worker that was lost is replaced, and its model has caught up,
 * before another process starts; and after longer and longer waits while they do not live.
 */
final class SparePlan {

  static final long SETTLE_NS = 1_000_000_000;

  /** When the last worker of a kind is lost its place is free for a while: that is when. */
  static final long KEEP_NS = 10_000_000_000L;

  /** One that lived so long did not fail as those before it did. */
  static final long LASTING_NS = 60_000_000_000L;

  private static final long FIRST_WAIT_NS = 1_000_000_000;
  private static final long LONGEST_WAIT_NS = 60_000_000_000L;

  private final int most;
  private final Map<WorkerSpec, Integer> used = new HashMap<>();
  private final List<WorkerSpec> spares = new ArrayList<>();
  private long changedNs;
  private long fromNs;
  private long failureWaitNs = FIRST_WAIT_NS;

  /**
   * Creates a plan.
   *
   * @param most spares that there may be at a time
   */
  SparePlan(int most, long nowNs) {
    this.most = most;
    this.changedNs = nowNs;
    this.fromNs = nowNs;
  }

  /** A worker serves from now on. */
  void serves(WorkerSpec spec, long nowNs) {
    used.merge(spec, 1, Integer::sum);
    changed(nowNs, SETTLE_NS);
  }

  /** One that served is gone. */
  void isGone(WorkerSpec spec, long nowNs) {
    used.computeIfPresent(spec, (key, workers) -> workers == 1 ? null : workers - 1);
    changed(nowNs, SETTLE_NS);
  }

  /** A spare is begun. */
  void begins(WorkerSpec spec) {
    spares.add(spec);
  }

  /** A spare is a worker like any other from now on: they live long enough to be of use. */
  void isTaken(WorkerSpec spec, long nowNs) {
    failureWaitNs = FIRST_WAIT_NS;
    leaves(spec, nowNs);
  }

  /** A spare is not needed. */
  void leaves(WorkerSpec spec, long nowNs) {
    spares.remove(spec);
    changed(nowNs, SETTLE_NS);
  }

  /**
   * A spare has died, or did not come up.
   *
   * @param readyNs how long it was ready; 0 if it never was. To have come up is not enough to
   *     forget earlier failures: whatever ends spares may do so just then, every time
   */
  void fails(WorkerSpec spec, long readyNs, long nowNs) {
    spares.remove(spec);
    failureWaitNs = readyNs >= LASTING_NS ? FIRST_WAIT_NS : failureWaitNs;
    changed(nowNs, failureWaitNs);
    failureWaitNs = Math.min(LONGEST_WAIT_NS, 2 * failureWaitNs);
  }

  private void changed(long nowNs, long waitNs) {
    changedNs = nowNs;
    fromNs = fromNs - (nowNs + waitNs) > 0 ? fromNs : nowNs + waitNs;
  }

  /** Returns what to start a spare as, now. */
  Optional<WorkerSpec> next(long nowNs) {
    if (nowNs - fromNs < 0 || spares.size() >= most) {
      return Optional.empty();
    }
    return used.keySet().stream()
        .max(
            Comparator.<WorkerSpec>comparingInt(spec -> -spares(spec))
                .thenComparingInt(spec -> used.getOrDefault(spec, 0)));
  }

  /**
   * Returns a spare that could take the place of nothing, now that it is clear that it will not.
   */
  Optional<WorkerSpec> surplus(long nowNs) {
    return nowNs - changedNs < KEEP_NS
        ? Optional.empty()
        : spares.stream().filter(spec -> !used.containsKey(spec)).findFirst();
  }

  /** Returns when to ask again if nothing changes before; empty if there is no need to. */
  OptionalLong delayNs(long nowNs) {
    if (spares.size() < most && !used.isEmpty()) {
      return OptionalLong.of(Math.max(0, fromNs - nowNs));
    }
    return used.keySet().containsAll(spares)
        ? OptionalLong.empty()
        : OptionalLong.of(Math.max(0, changedNs + KEEP_NS - nowNs));
  }

  private int spares(WorkerSpec spec) {
    return (int) spares.stream().filter(spec::equals).count();
  }
}
