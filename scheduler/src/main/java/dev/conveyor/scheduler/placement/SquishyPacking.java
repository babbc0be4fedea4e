package dev.conveyor.scheduler.placement;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Squishy bin packing: how many requests per second devices can serve within the objectives, and
 * who serves which. Not thread-safe: made for one look at the fleet, and thrown away.
 *
 * <p>After Shen et al., "Nexus: a GPU cluster engine for accelerating DNN-based video analysis"
 * (SOSP 2019), section 6.1. The items are squishy: what a model takes of a device depends on how
 * often it has its turn there, since a rarer turn makes larger batches, and those cost less per
 * item. A model first gets as many whole devices as it fills with the largest batch of which two
 * are within its objective; what is left goes, largest need first, to the device that is fullest
 * with it (best fit). To merge models, the shortest of their duty cycles is taken for all, batches
 * shrink to what comes in it, and all must fit into it.
 *
 * <p>It differs from the paper in three points. Devices are not rented by the hour: they are there,
 * so what does not fit is split, and what still does not is the part that is not {@link
 * Packing#carried}. Models are held against the devices that have them; those with fewer devices go
 * first, because the others can give way. And what comes is packed times a headroom, since arrivals
 * are not even; what fits with it is in time without it.
 */
public final class SquishyPacking {

  /** A smaller part of a model is not worth a device of its own. */
  private static final double LEAST_PART = 0.01;

  private final List<FleetDevice> devices;
  private final List<ModelNeed> models;
  private final double headroom;
  private final Fits fits;

  /**
   * Creates it.
   *
   * @param headroom how many times of what comes must fit, 1 or more
   */
  public SquishyPacking(List<FleetDevice> devices, List<ModelNeed> models, double headroom) {
    this.devices = List.copyOf(devices);
    this.models = List.copyOf(models);
    this.headroom = headroom;
    this.fits = new Fits(devices, models);
  }

  Fits fits() {
    return fits;
  }

  /** Returns what the devices carry if models are where a layout says. */
  public Packing of(Layout layout) {
    Bins bins = new Bins(layout, false);
    order(m -> options(m, layout)).forEach(bins::place);
    return bins.packing();
  }

  /**
   * Returns where models would be if they were all packed anew, within the devices' memory. Where
   * it makes no difference they are where they are now; pinned ones are in any case.
   */
  public Layout fresh(Layout present) {
    Layout fixed = Layout.empty(models.size());
    for (int m = 0; m < fits.models(); m++) {
      for (int device : models.get(m).pinned() ? present.devices(m) : List.<Integer>of()) {
        fixed = fixed.with(m, device);
      }
    }
    Bins bins = new Bins(fixed, true);
    bins.liked = present;
    List<Integer> order = order(m -> models.get(m).pinned() ? 0 : 1);
    order.forEach(bins::place);
    order.forEach(bins::settle);
    for (int m = 0; m < fits.models(); m++) {
      bins.settle(m);
    }
    return bins.layout;
  }

  private int options(int model, Layout layout) {
    int options = 0;
    for (int device : layout.devices(model)) {
      options += fits.isUsable(model, device) ? 1 : 0;
    }
    return options;
  }

  private interface Rank {
    int of(int model);
  }

  /**
   * Returns the models that something comes for: by a rank, among equals the largest need first.
   */
  private List<Integer> order(Rank rank) {
    return IntStream.range(0, fits.models())
        .filter(m -> fits.need(m) > 0)
        .boxed()
        .sorted(
            Comparator.<Integer>comparingInt(rank::of)
                .thenComparing(Comparator.<Integer>comparingDouble(m -> fits.need(m)).reversed()))
        .toList();
  }

  /** A packing in the making. */
  private final class Bins {
    private final List<Bin> all = new ArrayList<>();
    private final boolean mayLoad;
    private final double[] carried = new double[fits.models()];
    private Layout layout;
    private Layout liked;

    Bins(Layout layout, boolean mayLoad) {
      this.layout = layout;
      this.liked = layout;
      this.mayLoad = mayLoad;
      for (int d = 0; d < devices.size(); d++) {
        Bin bin = new Bin(d, devices.get(d), fits);
        bin.freeBytes -= layout.bytesOn(d, models);
        all.add(bin);
      }
    }

    private boolean mayUse(int model, Bin bin) {
      ModelNeed need = models.get(model);
      return fits.isUsable(model, bin.device)
          && (layout.has(model, bin.device)
              || (mayLoad
                  && !need.pinned()
                  && bin.freeBytes >= need.bytes()
                  && layout.count(model) < need.maxDevices()));
    }

    private void give(int model, Bin bin, double rate, double dutyNs) {
      load(model, bin);
      bin.add(model, rate, dutyNs);
      carried[model] += rate;
    }

    private void load(int model, Bin bin) {
      if (!layout.has(model, bin.device)) {
        layout = layout.with(model, bin.device);
        bin.freeBytes -= models.get(model).bytes();
      }
    }

    /** Gives a model whole devices, then the fullest that has room, then parts of several. */
    void place(int model) {
      double wanted = headroom * models.get(model).ratePerSecond();
      double left = wanted - placeWhole(model, wanted);
      Bin best = left > 0 ? bestFit(model, left) : null;
      if (best != null) {
        give(model, best, left, fits.get(model, best.device).dutyNs(left));
        left = 0;
      }
      while (left > LEAST_PART * wanted) {
        Bin widest = null;
        double most = LEAST_PART * wanted;
        for (Bin bin : all) {
          double part = mayUse(model, bin) ? bin.largestPart(model, left) : 0;
          if (part > most) {
            most = part;
            widest = bin;
          }
        }
        if (widest == null) {
          return;
        }
        give(model, widest, most, fits.get(model, widest.device).dutyNs(most));
        left -= most;
      }
    }

    private double placeWhole(int model, double wanted) {
      double placed = 0;
      for (boolean likes : new boolean[] {true, false}) {
        for (Bin bin : all) {
          if (bin.models.isEmpty() && likes == liked.has(model, bin.device) && mayUse(model, bin)) {
            DeviceFit fit = fits.get(model, bin.device);
            double rate = fit.wholeRate() * bin.slots;
            if (wanted - placed >= rate) {
              give(model, bin, rate, fit.wholeDutyNs());
              placed += rate;
            }
          }
        }
      }
      return placed;
    }

    private @Nullable Bin bestFit(int model, double rate) {
      Bin best = null;
      double fullest = -1;
      for (Bin bin : all) {
        if (mayUse(model, bin)) {
          double occupancy = bin.occupancyWith(model, rate);
          double rank = occupancy + (mayLoad && liked.has(model, bin.device) ? 1 : 0);
          if (occupancy <= 1 && rank > fullest) {
            fullest = rank;
            best = bin;
          }
        }
      }
      return best;
    }

    /** Puts a model that got no time, or on too few devices, where the most memory is free. */
    void settle(int model) {
      ModelNeed need = models.get(model);
      while (layout.count(model) < need.leastDevices()) {
        Bin best = null;
        for (Bin bin : all) {
          if (!layout.has(model, bin.device)
              && mayUse(model, bin)
              && (best == null || rank(model, bin) > rank(model, best))) {
            best = bin;
          }
        }
        if (best == null) {
          return;
        }
        load(model, best);
      }
    }

    private double rank(int model, Bin bin) {
      return liked.has(model, bin.device) ? Double.MAX_VALUE : bin.freeBytes;
    }

    Packing packing() {
      List<Packing.Share> shares = new ArrayList<>();
      double[] occupancy = new double[all.size()];
      for (Bin bin : all) {
        occupancy[bin.device] = bin.occupancy();
        for (int i = 0; i < bin.models.size(); i++) {
          shares.add(share(bin, bin.models.get(i), bin.rates.get(i)));
        }
      }
      double[] parts = new double[carried.length];
      double[] needs = new double[carried.length];
      for (int m = 0; m < parts.length; m++) {
        double wanted = headroom * models.get(m).ratePerSecond();
        needs[m] = fits.need(m);
        parts[m] = wanted == 0 ? 1 : Math.min(1, carried[m] / wanted);
      }
      return new Packing(shares, parts, needs, occupancy);
    }

    private Packing.Share share(Bin bin, int model, double rate) {
      int batch = (int) Math.ceil(rate * bin.dutyNs() / 1e9 - 1e-6);
      return new Packing.Share(
          model,
          bin.device,
          rate / headroom,
          Math.max(1, Math.min(batch, models.get(model).maxBatchSize())),
          bin.dutyNs(),
          fits.get(model, bin.device).busyNs(rate, bin.dutyNs()) / (bin.slots * bin.dutyNs()));
    }
  }
}
