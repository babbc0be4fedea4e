package dev.conveyor.scheduler.placement;

import static dev.conveyor.scheduler.placement.Fleets.SECOND;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.placement.PlacementPlanner.Plan;
import dev.conveyor.scheduler.placement.PlacementPlanner.Settings;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Random fleets under random loads: what must hold whatever comes. */
final class PlacementPropertyTest {

  private static final long WINDOW = 5 * SECOND;

  private final List<FleetDevice> devices = new ArrayList<>();
  private final List<ModelNeed> models = new ArrayList<>();
  private Random random = new Random(0);
  private Layout layout = Layout.empty(0);
  private long nowNs;

  private void fleet(long seed) {
    random = new Random(seed);
    devices.clear();
    models.clear();
    nowNs = Long.MAX_VALUE - random.nextInt(1000) * SECOND;
    for (int d = 1 + random.nextInt(5); d > 0; d--) {
      devices.add(
          new FleetDevice(
              "d" + d,
              "k" + random.nextInt(2),
              20 + random.nextInt(100),
              0.5 + random.nextInt(3),
              1 + random.nextInt(2)));
    }
    int count = 1 + random.nextInt(10);
    layout = Layout.empty(count);
    for (int m = 0; m < count; m++) {
      double per = 0.2 + 2 * random.nextDouble();
      double base = 3 * random.nextDouble();
      ModelNeed.BatchTimes times = items -> 1e6 * (base + per * items);
      models.add(
          new ModelNeed(
              "m" + m,
              1 + random.nextInt(40),
              random.nextInt(3) * SECOND,
              1 << random.nextInt(6),
              random.nextInt(4) == 0 ? 0 : (long) (1e6 * (2 + random.nextInt(40))),
              random.nextInt(4) == 0 ? 0 : 1000 * Math.pow(random.nextDouble(), 3),
              random.nextInt(8) == 0,
              random.nextInt(2),
              1 + random.nextInt(devices.size()),
              random.nextBoolean() ? Map.of("k0", times, "k1", times) : Map.of("k0", times)));
      int at = random.nextInt(devices.size());
      if (layout.bytesOn(at, pad(count)) + models.get(m).bytes() <= devices.get(at).memoryBytes()) {
        layout = layout.with(m, at);
      }
    }
  }

  /** The models so far, and nothing for the others. */
  private List<ModelNeed> pad(int count) {
    List<ModelNeed> padded = new ArrayList<>(models);
    while (padded.size() < count) {
      padded.add(Fleets.model("none", 0, 0, 0, false));
    }
    return padded;
  }

  private boolean take(Plan plan, List<ModelNeed> asked) {
    if (plan.step().isEmpty()) {
      return false;
    }
    PlacementStep step = plan.step().get();
    assertThat(step.reason()).isNotEmpty();
    assertThat(layout.has(step.model(), step.device())).isFalse();
    assertThat(models.get(step.model()).times()).containsKey(devices.get(step.device()).kind());
    Layout room = step.roomIn(layout);
    for (int gone : step.leaving()) {
      assertThat(models.get(gone).pinned()).isFalse();
      assertThat(layout.has(gone, step.device())).isTrue();
      assertThat(room.count(gone)).isGreaterThanOrEqualTo(asked.get(gone).leastDevices());
    }
    Layout next = step.applyTo(layout);
    for (int m = 0; m < models.size(); m++) {
      if (models.get(m).pinned()) {
        assertThat(next.devices(m)).isEqualTo(layout.devices(m));
      }
    }
    assertThat(next.count(step.model())).isLessThanOrEqualTo(models.get(step.model()).maxDevices());
    assertThat(next.bytesOn(step.device(), models))
        .isLessThanOrEqualTo(devices.get(step.device()).memoryBytes());
    layout = next;
    return true;
  }

  private List<ModelNeed> noisy(double noise) {
    List<ModelNeed> changed = new ArrayList<>();
    for (ModelNeed m : models) {
      double rate = m.ratePerSecond() * (1 + noise * (2 * random.nextDouble() - 1));
      changed.add(
          new ModelNeed(
              m.name(),
              m.bytes(),
              m.loadNs(),
              m.maxBatchSize(),
              m.objectiveNs(),
              rate,
              m.pinned(),
              m.minDevices(),
              m.maxDevices(),
              m.times()));
    }
    return changed;
  }

  @Property(tries = 300)
  void shouldComeToRestWithEverythingPlacedThatFits(@ForAll long seed) {
    fleet(seed);
    PlacementPlanner planner = new PlacementPlanner(Settings.DEFAULT);
    SquishyPacking squishy = new SquishyPacking(devices, models, Settings.DEFAULT.headroom());
    int quiet = 0;
    for (int look = 0; quiet < 50; look++) {
      assertThat(look).as("looks until it rests").isLessThan(1000);
      nowNs += WINDOW;
      double before = squishy.of(layout).value();
      boolean wasNowhere = isAnyoneMissing();
      boolean moved = take(planner.plan(devices, models, layout, nowNs), models);
      if (moved && !wasNowhere) {
        assertThat(squishy.of(layout).value()).isGreaterThan(before);
      }
      quiet = moved ? 0 : quiet + 1;
    }
    for (int m = 0; m < models.size(); m++) {
      if (models.get(m).hasLoad() && !models.get(m).pinned() && layout.count(m) == 0) {
        for (int d = 0; d < devices.size(); d++) {
          boolean fits =
              layout.bytesOn(d, models) + models.get(m).bytes() <= devices.get(d).memoryBytes();
          assertThat(fits && squishy.fits().isUsable(m, d)).isFalse();
        }
      }
    }
  }

  private boolean isAnyoneMissing() {
    for (int m = 0; m < models.size(); m++) {
      if (!models.get(m).pinned() && layout.count(m) < models.get(m).leastDevices()) {
        return true;
      }
    }
    return false;
  }

  @Property(tries = 200)
  void shouldNotSwingUnderALoadThatOnlyTrembles(@ForAll long seed) {
    fleet(seed);
    PlacementPlanner planner = new PlacementPlanner(Settings.DEFAULT);
    Set<List<Integer>> loaded = new HashSet<>();
    for (int look = 0; look < 300; look++) {
      nowNs += WINDOW;
      List<ModelNeed> now = noisy(0.03);
      Plan plan = planner.plan(devices, now, layout, nowNs);
      if (take(plan, now)) {
        PlacementStep step = plan.step().orElseThrow();
        assertThat(loaded.add(List.of(step.model(), step.device())))
            .as("loaded twice: " + plan.reason())
            .isTrue();
      }
    }
  }

  @Property(tries = 200)
  void shouldPackNoDeviceBeyondItsTimeAndNothingAnewBeyondMemory(@ForAll long seed) {
    fleet(seed);
    SquishyPacking squishy = new SquishyPacking(devices, models, 1.2);
    Layout fresh = squishy.fresh(layout);
    for (Layout each : List.of(layout, fresh)) {
      Packing packing = squishy.of(each);
      double[] rates = new double[models.size()];
      for (Packing.Share share : packing.shares()) {
        assertThat(each.has(share.model(), share.device())).isTrue();
        rates[share.model()] += share.ratePerSecond();
      }
      for (int m = 0; m < rates.length; m++) {
        double asked = models.get(m).ratePerSecond();
        assertThat(rates[m]).isLessThanOrEqualTo(asked * 1.000001);
        assertThat(packing.carried(m)).isBetween(0.0, 1.0);
      }
      for (int d = 0; d < devices.size(); d++) {
        assertThat(packing.occupancy(d)).isBetween(0.0, 1.000001);
        assertThat(each.bytesOn(d, models)).isLessThanOrEqualTo(devices.get(d).memoryBytes());
      }
    }
    for (int m = 0; m < models.size(); m++) {
      if (models.get(m).pinned()) {
        assertThat(fresh.devices(m)).isEqualTo(layout.devices(m));
      }
    }
  }
}
