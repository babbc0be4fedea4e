package dev.conveyor.scheduler.occupancy;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Packs models onto devices of one kind so that every objective is met with few devices: squishy
 * bin packing (Shen et al., Nexus, SOSP 2019). "Squishy", because what a model takes of a device
 * depends on its neighbours: they set the cycle, the cycle sets the batch, the batch sets the cost.
 *
 * <p>Stateless. Each model first gets whole devices for the load that saturates them. What remains
 * is a residual: the largest batch that fills and runs within the objective, in a cycle as long as
 * the objective allows. Residuals are merged, the most demanding first, each with the device that
 * it fills best: the cycle becomes the shorter of the two, batches shrink to what arrives in a
 * cycle, and the merger stands if they fit into the cycle and into memory. Complexity: residuals
 * times devices.
 *
 * <p>Groups keep the device that holds most of their models already, so that a plan that hardly
 * changes hardly moves anything.
 */
public final class SquishyPacking {

  private static final double SECOND_NS = 1e9;

  private SquishyPacking() {}

  /** Models that share one device. */
  private static final class Group {
    final List<Tenant> tenants = new ArrayList<>();
    final List<PlacementPlan.Share> shares = new ArrayList<>();
    double dutyNs;
    double busyNs;
    long bytes;

    double occupancy() {
      return busyNs / dutyNs;
    }
  }

  /**
   * Makes a plan.
   *
   * @param devices how many there are, all alike
   * @param bytesPerDevice memory of each
   * @param before where models are now, to keep them there; null if nowhere
   */
  public static PlacementPlan plan(
      List<Tenant> tenants, int devices, long bytesPerDevice, @Nullable PlacementPlan before) {
    List<Group> groups = new ArrayList<>();
    List<Group> residuals = new ArrayList<>();
    Map<String, Double> unplaced = new LinkedHashMap<>();
    for (Tenant tenant : tenants) {
      if (tenant.bytes() > bytesPerDevice) {
        unplaced.put(tenant.model(), tenant.perSecond());
      } else {
        divide(tenant, groups, residuals);
      }
    }
    residuals.sort(Comparator.comparingDouble(Group::occupancy).reversed());
    List<Group> shared = new ArrayList<>();
    for (Group residual : residuals) {
      Group best = null;
      int at = -1;
      for (int i = 0; i < shared.size(); i++) {
        Group merged = merge(shared.get(i), residual, bytesPerDevice);
        if (merged != null && (best == null || merged.occupancy() > best.occupancy())) {
          best = merged;
          at = i;
        }
      }
      if (best == null) {
        shared.add(residual);
      } else {
        shared.set(at, best);
      }
    }
    groups.addAll(shared);
    groups.sort(Comparator.comparingDouble(Group::occupancy).reversed());
    for (Group homeless : groups.subList(Math.min(devices, groups.size()), groups.size())) {
      homeless.shares.forEach(
          share -> unplaced.merge(share.model(), share.perSecond(), Double::sum));
    }
    return settle(groups.subList(0, Math.min(devices, groups.size())), devices, before, unplaced);
  }

  private static void divide(Tenant tenant, List<Group> whole, List<Group> residuals) {
    double perDevice = tenant.ratePerDevice();
    double rest = tenant.perSecond();
    while (rest >= perDevice) {
      int batch = tenant.saturatingBatch();
      whole.add(single(tenant, perDevice, batch, tenant.batchNs(batch)));
      rest -= perDevice;
    }
    if (rest > 1e-9 * perDevice) {
      int batch = tenant.residualBatch(rest);
      residuals.add(single(tenant, rest, batch, tenant.dutyNs(batch, rest)));
    }
  }

  private static Group single(Tenant tenant, double rate, int batch, double dutyNs) {
    Group group = new Group();
    group.tenants.add(tenant);
    group.shares.add(new PlacementPlan.Share(tenant.model(), rate, batch));
    group.dutyNs = dutyNs;
    group.busyNs = tenant.batchNs(batch);
    group.bytes = tenant.bytes();
    return group;
  }

  private static @Nullable Group merge(Group a, Group b, long bytesPerDevice) {
    Group merged = new Group();
    merged.dutyNs = Math.min(a.dutyNs, b.dutyNs);
    merged.bytes = a.bytes + b.bytes;
    if (merged.bytes > bytesPerDevice) {
      return null;
    }
    addResized(merged, a);
    addResized(merged, b);
    return merged.busyNs <= merged.dutyNs ? merged : null;
  }

  private static void addResized(Group target, Group source) {
    for (int i = 0; i < source.tenants.size(); i++) {
      Tenant tenant = source.tenants.get(i);
      double rate = source.shares.get(i).perSecond();
      double arriving = Math.ceil(rate * target.dutyNs / SECOND_NS - 1e-9);
      int batch = (int) Math.max(1, Math.min(tenant.maxBatch(), arriving));
      target.tenants.add(tenant);
      target.shares.add(new PlacementPlan.Share(tenant.model(), rate, batch));
      target.busyNs += tenant.batchNs(batch);
    }
  }

  private static PlacementPlan settle(
      List<Group> groups,
      int devices,
      @Nullable PlacementPlan before,
      Map<String, Double> unplaced) {
    @Nullable Group[] on = new @Nullable Group[devices];
    List<Group> newcomers = new ArrayList<>();
    for (Group group : groups) {
      int home = before == null ? -1 : home(group, before, on);
      if (home < 0) {
        newcomers.add(group);
      } else {
        on[home] = group;
      }
    }
    int next = 0;
    for (Group group : newcomers) {
      while (on[next] != null) {
        next++;
      }
      on[next] = group;
    }
    List<PlacementPlan.Device> placed = new ArrayList<>();
    for (Group group : on) {
      placed.add(
          group == null
              ? new PlacementPlan.Device(List.of(), 0, 0, 0)
              : new PlacementPlan.Device(group.shares, group.dutyNs, group.busyNs, group.bytes));
    }
    return new PlacementPlan(placed, unplaced);
  }

  /** Returns the free device that holds most bytes of the group already, -1 if none holds any. */
  private static int home(Group group, PlacementPlan before, @Nullable Group[] on) {
    int best = -1;
    long bestBytes = 0;
    for (int d = 0; d < Math.min(on.length, before.devices().size()); d++) {
      if (on[d] != null) {
        continue;
      }
      long held = 0;
      for (Tenant tenant : group.tenants) {
        held += before.devicesOf(tenant.model()).contains(d) ? Math.max(1, tenant.bytes()) : 0;
      }
      if (held > bestBytes) {
        best = d;
        bestBytes = held;
      }
    }
    return best;
  }
}
