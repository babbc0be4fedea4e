package dev.conveyor.scheduler.occupancy;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Keeps a {@link PlacementPlan} up to date without moving models to and fro.
 *
 * <p>Not thread-safe: owned by who places models. Reads no clock; asked once per epoch.
 *
 * <p>A new plan replaces the old one if the old one does not carry the load any more, or if it
 * leaves more than a tenth of the devices' time that the old one would take unused, and loading the
 * models that move takes less time than one epoch saves.
 */
public final class ResidencyPlanner {

  private static final double WORTH_MOVING = 0.1;

  private final int devices;
  private final long bytesPerDevice;
  private final long epochNs;
  private @Nullable PlacementPlan current;
  private String reason = "";

  /** Creates a planner for devices that are all alike. */
  public ResidencyPlanner(int devices, long bytesPerDevice, long epochNs) {
    this.devices = devices;
    this.bytesPerDevice = bytesPerDevice;
    this.epochNs = epochNs;
  }

  /** Returns the plan for the load as it is now: often the one before. */
  public PlacementPlan onEpoch(List<Tenant> tenants) {
    PlacementPlan before = current;
    PlacementPlan next = SquishyPacking.plan(tenants, devices, bytesPerDevice, before);
    if (before == null) {
      return adopt(next, "the first plan");
    }
    String outgrown = outgrown(before, tenants);
    if (outgrown != null) {
      return adopt(next, outgrown);
    }
    int saved = before.used() - next.used();
    double savedNs = (double) saved * epochNs;
    long movingNs = movingNs(before, next, tenants);
    if (saved > WORTH_MOVING * before.used() && movingNs < savedNs) {
      return adopt(
          next,
          String.format(
              Locale.ROOT,
              "%d devices instead of %d, for %.1f s of loading",
              next.used(),
              before.used(),
              movingNs / 1e9));
    }
    reason = "kept: a new plan would save " + Math.max(0, saved) + " devices";
    return before;
  }

  /** Returns why the last plan is what it is. */
  public String reason() {
    return reason;
  }

  private PlacementPlan adopt(PlacementPlan plan, String why) {
    current = plan;
    reason = why;
    return plan;
  }

  private static @Nullable String outgrown(PlacementPlan plan, List<Tenant> tenants) {
    Map<String, Double> placed = plan.placed();
    for (Tenant tenant : tenants) {
      double carried = placed.getOrDefault(tenant.model(), 0.0);
      if (tenant.perSecond() > carried * (1 + WORTH_MOVING)) {
        return String.format(
            Locale.ROOT,
            "%s has %.1f items per second, the plan was made for %.1f",
            tenant.model(),
            tenant.perSecond(),
            carried);
      }
    }
    return null;
  }

  /** Returns the time to load what is where it was not before. */
  private static long movingNs(PlacementPlan before, PlacementPlan next, List<Tenant> tenants) {
    Map<String, Tenant> byModel = new TreeMap<>();
    tenants.forEach(tenant -> byModel.put(tenant.model(), tenant));
    List<Set<String>> old = before.residents();
    List<Set<String>> now = new ArrayList<>(next.residents());
    long ns = 0;
    for (int d = 0; d < now.size(); d++) {
      for (String model : now.get(d)) {
        Tenant tenant = byModel.get(model);
        boolean moves = d >= old.size() || !old.get(d).contains(model);
        ns += moves && tenant != null ? tenant.loadNs() : 0;
      }
    }
    return ns;
  }
}
