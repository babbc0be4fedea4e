package dev.conveyor.scheduler;

import dev.conveyor.scheduler.profile.CostSample;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * How large a batch of an overloaded model may be beside models that keep up with their objectives.
 * What runs is not interrupted, so its length is what they wait; and on cores a batch of four often
 * takes as long as four batches of one. Then it has as many items as make it fast, and no more.
 *
 * <p>Not thread-safe: one per device, owned by the {@link Scheduler}. Of devices other than CPUs it
 * says nothing: there the time of a batch is mostly the same whatever is in it.
 */
final class ShortBatches {

  /** A size that does this part of the work of a full batch per time is taken to be as fast. */
  private static final double AS_FAST = 0.85;

  /** A model counts as there for so long after its last batch began. */
  private static final long LATELY_NS = 1_000_000_000;

  private final boolean applies;

  // The model that began a batch last while it kept up, and the one before it.
  private @Nullable Placement last;
  private @Nullable Placement other;
  private long lastNs;
  private long otherNs;

  ShortBatches(DeviceSpec.Kind kind) {
    this.applies = kind == DeviceSpec.Kind.CPU;
  }

  /** Takes note that a batch begins. */
  void began(Placement placement, long nowNs) {
    ModelState model = placement.model;
    if (!applies || !model.plan.serviceLevel().hasObjective() || model.isOverloaded(nowNs)) {
      return;
    }
    if (placement != last) {
      other = last;
      otherNs = lastNs;
      last = placement;
    }
    lastNs = nowNs;
  }

  /** Returns how many items the next batch may have. */
  int mostItems(Placement placement, long nowNs) {
    if (!applies || !hasOthers(placement, nowNs) || !placement.model.isOverloaded(nowNs)) {
      return Integer.MAX_VALUE;
    }
    return placement.smallestFast;
  }

  private boolean hasOthers(Placement placement, long nowNs) {
    boolean isLast = placement == last;
    Placement besides = isLast ? other : last;
    return besides != null
        && !besides.model.removed
        && nowNs - (isLast ? otherNs : lastNs) < LATELY_NS;
  }

  /**
   * Returns the smallest size that is as fast as the largest, by what batches took before there was
   * a load: what they take beside others says more of the others.
   */
  static int smallestFast(List<CostSample> samples) {
    NavigableMap<Integer, List<Long>> bySize = new TreeMap<>();
    for (CostSample sample : samples) {
      bySize.computeIfAbsent(sample.items(), size -> new ArrayList<>()).add(sample.busyNs());
    }
    if (bySize.isEmpty()) {
      return Integer.MAX_VALUE;
    }
    double full = nsPerItem(bySize.lastEntry());
    for (Map.Entry<Integer, List<Long>> size : bySize.entrySet()) {
      if (full >= AS_FAST * nsPerItem(size)) {
        return size.getKey();
      }
    }
    return Integer.MAX_VALUE;
  }

  /** Of two runs the faster one, of more their median. */
  private static double nsPerItem(Map.Entry<Integer, List<Long>> size) {
    List<Long> sorted = size.getValue().stream().sorted().toList();
    return (double) sorted.get((sorted.size() - 1) / 2) / size.getKey();
  }
}
