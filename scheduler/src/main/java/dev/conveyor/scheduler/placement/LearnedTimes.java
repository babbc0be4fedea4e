package dev.conveyor.scheduler.placement;

import dev.conveyor.scheduler.profile.ProfileSnapshot;
import dev.conveyor.scheduler.profile.ProfileSnapshot.Size;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * How much of a device's time a batch takes, from what was learned. Immutable.
 *
 * <p>Several batches that run at once each take longer, and the device does more: what counts is
 * the time of a batch divided by how many there were, where that is least.
 */
public final class LearnedTimes implements ModelNeed.BatchTimes {

  /** The times of batches that ran as one of so many. */
  private record Curve(int batches, List<Size> sizes) {

    double ns(int items) {
      Size below = sizes.get(0);
      for (Size size : sizes) {
        if (size.batchSize() >= items) {
          return items <= below.batchSize() ? below.predictedNs() : between(below, size, items);
        }
        below = size;
      }
      // Beyond what has run, nothing is gained by larger batches.
      return below.predictedNs() * items / below.batchSize();
    }

    private static double between(Size below, Size above, int items) {
      double part = (double) (items - below.batchSize()) / (above.batchSize() - below.batchSize());
      return below.predictedNs() + part * (above.predictedNs() - below.predictedNs());
    }
  }

  private final List<Curve> curves;

  private LearnedTimes(List<Curve> curves) {
    this.curves = curves;
  }

  /** Returns what was learned; empty if nothing was. */
  public static Optional<ModelNeed.BatchTimes> of(ProfileSnapshot profile) {
    List<Curve> curves = new ArrayList<>();
    for (ProfileSnapshot.Concurrency level : profile.byConcurrency()) {
      if (!level.sizes().isEmpty()) {
        curves.add(new Curve(level.batches(), level.sizes()));
      }
    }
    if (curves.isEmpty() && !profile.sizes().isEmpty()) {
      curves.add(new Curve(1, profile.sizes()));
    }
    return curves.isEmpty() ? Optional.empty() : Optional.of(new LearnedTimes(curves));
  }

  @Override
  public double ns(int items) {
    double least = Double.POSITIVE_INFINITY;
    for (Curve curve : curves) {
      least = Math.min(least, curve.ns(items) / curve.batches());
    }
    return Math.max(1, least);
  }
}
