package dev.conveyor.scheduler.placement;

import dev.conveyor.scheduler.placement.PlacementPlanner.Settings;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * One look at one layout: what it lacks, and the step that would help most.
 *
 * <p>Not thread-safe: made by the {@link PlacementPlanner} for one decision. Bounded: it packs at
 * most {@value #MOST_SHORT} * {@value #MOST_DEVICES} layouts for each of a short model and its
 * {@value #MOST_NEIGHBOURS} neighbours.
 */
final class StepSearch {

  private static final int MOST_SHORT = 8;
  private static final int MOST_NEIGHBOURS = 4;
  private static final int MOST_DEVICES = 8;

  private final List<FleetDevice> devices;
  private final Settings settings;
  private final List<ModelNeed> models;
  private final Layout present;
  private final SquishyPacking squishy;
  private final Packing packing;
  private final double value;

  /** By device and model: the device time that the packing gives. */
  private final double[][] given;

  StepSearch(List<FleetDevice> devices, Settings settings, List<ModelNeed> models, Layout present) {
    this.devices = devices;
    this.settings = settings;
    this.models = models;
    this.present = present;
    this.squishy = new SquishyPacking(devices, models, settings.headroom());
    this.packing = squishy.of(present);
    this.value = packing.value();
    this.given = new double[devices.size()][models.size()];
    packing.shares().forEach(share -> given[share.device()][share.model()] += share.occupancy());
  }

  /** Returns how the present layout shares the load. */
  Packing packing() {
    return packing;
  }

  /** Places a model that has to be somewhere and is not, or is on too few devices. */
  @Nullable PlacementStep placeNowhere() {
    List<Integer> missing =
        IntStream.range(0, models.size())
            .filter(m -> !models.get(m).pinned())
            .filter(m -> present.count(m) < models.get(m).leastDevices())
            .boxed()
            .sorted(
                Comparator.<Integer>comparingInt(present::count)
                    .thenComparing(
                        Comparator.<Integer>comparingDouble(squishy.fits()::need).reversed()))
            .toList();
    for (int model : missing) {
      PlacementStep best = null;
      for (int device : bySpare(model, Integer.MAX_VALUE)) {
        List<Integer> leaving = room(model, device);
        if (leaving != null) {
          PlacementStep step = step(model, device, leaving, model);
          best = best == null || step.gain() > best.gain() ? step : best;
        }
      }
      if (best != null) {
        String why =
            present.count(model) == 0
                ? "is on no device"
                : text("is on %d, has to be on %d", present.count(model), least(model));
        return new PlacementStep(
            model, best.device(), best.leaving(), best.gain(), why + leaving(best));
      }
    }
    return null;
  }

  private int least(int model) {
    return models.get(model).leastDevices();
  }

  /** Returns the step that carries the most more, if it is worth it. */
  @Nullable PlacementStep best() {
    PlacementStep best = null;
    for (int wanting : shortest()) {
      for (int model : movable(wanting)) {
        for (int device : bySpare(model, MOST_DEVICES)) {
          List<Integer> leaving = room(model, device);
          if (leaving != null) {
            PlacementStep step = step(model, device, leaving, wanting);
            boolean better = best == null || step.gain() > best.gain() + 1e-9;
            best = better && isWorth(step, wanting) ? step : best;
          }
        }
      }
    }
    return best;
  }

  /** What has to leave counts, too: the more it is, the surer it must be that it pays. */
  private boolean isWorth(PlacementStep step, int wanting) {
    double least = worthwhile(wanting);
    for (int gone : step.leaving()) {
      least += worthwhile(gone);
    }
    return step.gain() >= least;
  }

  /** Returns what is worth a load for a model; of one that takes many devices, no step is more. */
  private double worthwhile(int model) {
    return settings.gain() * Math.min(1, squishy.fits().need(model));
  }

  /** Returns the device time of what comes for a model while it loads, times nanoseconds. */
  double loadCost(PlacementStep step) {
    return (double) models.get(step.model()).loadNs() * squishy.fits().need(step.model());
  }

  private double missing(int model) {
    return squishy.fits().need(model) * (1 - packing.carried(model));
  }

  private List<Integer> shortest() {
    return IntStream.range(0, models.size())
        .filter(m -> missing(m) > worthwhile(m))
        .boxed()
        .sorted(Comparator.<Integer>comparingDouble(this::missing).reversed())
        .limit(MOST_SHORT)
        .toList();
  }

  /** Returns a short model, and those that it would be served with if they went elsewhere. */
  private List<Integer> movable(int wanting) {
    List<Integer> movable = new ArrayList<>();
    movable.add(wanting);
    IntStream.range(0, models.size())
        .filter(m -> m != wanting && neighbourTime(m, wanting) > 0)
        .boxed()
        .sorted(Comparator.<Integer>comparingDouble(m -> neighbourTime(m, wanting)).reversed())
        .limit(MOST_NEIGHBOURS)
        .forEach(movable::add);
    movable.removeIf(m -> models.get(m).pinned() || present.count(m) >= models.get(m).maxDevices());
    return movable;
  }

  private double neighbourTime(int model, int wanting) {
    double time = 0;
    for (int device : present.devices(wanting)) {
      time += given[device][model];
    }
    return time;
  }

  private List<Integer> bySpare(int model, int most) {
    return IntStream.range(0, devices.size())
        .filter(d -> squishy.fits().isUsable(model, d) && !present.has(model, d))
        .boxed()
        .sorted(
            Comparator.<Integer>comparingDouble(d -> packing.occupancy(d))
                .thenComparingDouble(d -> -freeBytes(d)))
        .limit(most)
        .toList();
  }

  private long freeBytes(int device) {
    return devices.get(device).memoryBytes() - present.bytesOn(device, models);
  }

  /** Returns which models are to leave a device for another; null if they would not suffice. */
  private @Nullable List<Integer> room(int model, int device) {
    long lacking = models.get(model).bytes() - freeBytes(device);
    List<Integer> leaving = new ArrayList<>();
    if (lacking > 0) {
      List<Integer> dispensable = new ArrayList<>(present.modelsOn(device));
      dispensable.removeIf(m -> models.get(m).pinned() || present.count(m) <= least(m));
      dispensable.sort(
          Comparator.comparingDouble(m -> given[device][m] / Math.max(1, models.get(m).bytes())));
      for (int i = 0; i < dispensable.size() && lacking > 0; i++) {
        lacking -= models.get(dispensable.get(i)).bytes();
        leaving.add(dispensable.get(i));
      }
    }
    return lacking > 0 ? null : leaving;
  }

  private PlacementStep step(int model, int device, List<Integer> leaving, int wanting) {
    PlacementStep bare = new PlacementStep(model, device, leaving, 0, "");
    double gain = squishy.of(bare.applyTo(present)).value() - value;
    String reason =
        text(
            "there is time for %.0f %% of %.2f times the %.1f/s of %s; with %s on %s, too, the work"
                + " of %.2f devices more is carried",
            100 * packing.carried(wanting),
            settings.headroom(),
            models.get(wanting).ratePerSecond(),
            models.get(wanting).name(),
            models.get(model).name(),
            devices.get(device).name(),
            gain);
    return new PlacementStep(model, device, leaving, gain, reason + leaving(bare));
  }

  private String leaving(PlacementStep step) {
    return step.leaving().isEmpty()
        ? ""
        : "; for room "
            + String.join(", ", step.leaving().stream().map(m -> models.get(m).name()).toList())
            + " leaves";
  }

  String whyNone() {
    List<Integer> shortest = shortest();
    return shortest.isEmpty()
        ? text("stays: %.2f of %.2f devices' work is carried", value, packing.need())
        : text(
            "stays: %s falls short by %.2f devices, and no step would give enough of it",
            models.get(shortest.get(0)).name(), missing(shortest.get(0)));
  }

  static String text(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
