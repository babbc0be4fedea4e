package dev.conveyor.scheduler.occupancy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.assertj.core.data.Offset;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

final class SquishyPackingTest {

  private static final long MS = 1_000_000;
  private static final long GIB = 1L << 30;

  @Test
  void shouldGiveAWholeDeviceToWhatSaturatesOne() {
    // 25 ms: two batches of 7 at 12.44 ms. 7 per 12.44 ms are 563 per second and device.
    Tenant busy = tenant("busy", 1100, 25, 1.053, 5.072, GIB);

    PlacementPlan plan = SquishyPacking.plan(List.of(busy), 4, 16 * GIB, null);

    assertThat(busy.saturatingBatch()).isEqualTo(7);
    assertThat(plan.used()).isEqualTo(2);
    assertThat(plan.devices().get(0).occupancy()).isCloseTo(1, Percentage.withPercentage(1));
    assertThat(plan.placed().get("busy")).isCloseTo(1100, Percentage.withPercentage(0.01));
    assertThat(plan.unplaced()).isEmpty();
  }

  @Test
  void shouldPutModelsOfLittleLoadTogetherInTheShorterOfTheirCycles() {
    PlacementPlan plan =
        SquishyPacking.plan(
            List.of(
                tenant("a", 50, 100, 1, 5, GIB),
                tenant("b", 50, 40, 1, 5, GIB),
                tenant("c", 10, 200, 1, 5, GIB)),
            4,
            16 * GIB,
            null);

    assertThat(plan.used()).isEqualTo(1);
    assertThat(plan.devices().get(0).shares()).hasSize(3);
    assertThat(plan.devices().get(0).dutyNs()).isLessThanOrEqualTo(40.0 * MS);
  }

  @Test
  void shouldNotPutTogetherWhatMemoryDoesNotHold() {
    List<Tenant> two =
        List.of(tenant("a", 10, 200, 1, 5, 6 * GIB), tenant("b", 10, 200, 1, 5, 6 * GIB));

    assertThat(SquishyPacking.plan(two, 2, 12 * GIB, null).used()).isEqualTo(1);
    assertThat(SquishyPacking.plan(two, 2, 12 * GIB - 1, null).used()).isEqualTo(2);
    assertThat(SquishyPacking.plan(two, 1, 12 * GIB - 1, null).unplaced()).hasSize(1);
    assertThat(SquishyPacking.plan(two, 2, 6 * GIB - 1, null).unplaced())
        .containsOnlyKeys("a", "b");
  }

  @Test
  void shouldLeaveModelsWhereTheyAre() {
    Tenant a = tenant("a", 100, 60, 1, 9, 10 * GIB);
    Tenant b = tenant("b", 40, 60, 1, 9, 10 * GIB);
    PlacementPlan before = SquishyPacking.plan(List.of(a, b), 3, 16 * GIB, null);

    Tenant quieter = tenant("a", 30, 60, 1, 9, 10 * GIB);
    PlacementPlan after = SquishyPacking.plan(List.of(quieter, b), 3, 16 * GIB, before);

    assertThat(after.devicesOf("a")).isEqualTo(before.devicesOf("a"));
    assertThat(after.devicesOf("b")).isEqualTo(before.devicesOf("b"));
  }

  @Test
  void shouldMoveModelsOnlyIfThatSavesATenthOfTheDevicesAndMoreThanItCosts() {
    ResidencyPlanner planner = new ResidencyPlanner(4, 16 * GIB, 10_000 * MS);
    PlacementPlan first =
        planner.onEpoch(List.of(tenant("a", 160, 40, 1, 9, GIB), tenant("b", 160, 40, 1, 9, GIB)));
    assertThat(first.used()).isEqualTo(2);

    List<Tenant> same = List.of(tenant("a", 164, 40, 1, 9, GIB), tenant("b", 156, 40, 1, 9, GIB));
    assertThat(planner.onEpoch(same)).isSameAs(first);

    List<Tenant> quiet = List.of(tenant("a", 8, 40, 1, 9, GIB), tenant("b", 8, 40, 1, 9, GIB));
    List<Tenant> slowToLoad =
        quiet.stream().map(tenant -> withLoadNs(tenant, 10_000 * MS)).toList();
    assertThat(planner.onEpoch(slowToLoad)).as("costs what it saves").isSameAs(first);
    assertThat(planner.reason()).startsWith("kept");
    PlacementPlan moved = planner.onEpoch(quiet);
    assertThat(moved.used()).isEqualTo(1);
    assertThat(planner.reason()).contains("1 devices instead of 2");

    List<Tenant> busy = List.of(tenant("a", 160, 40, 1, 9, GIB), tenant("b", 160, 40, 1, 9, GIB));
    assertThat(planner.onEpoch(busy).used()).isEqualTo(2);
    assertThat(planner.reason()).contains("160.0 items per second");
  }

  @Property(tries = 200)
  void shouldPlaceEveryItemOnceWithinTimeMemoryAndObjective(
      @ForAll @IntRange(min = 1, max = 30) int models,
      @ForAll @IntRange(min = 1, max = 12) int devices,
      @ForAll @IntRange(min = 1, max = 1_000_000) int seed) {
    Random random = new Random(seed);
    List<Tenant> tenants = new ArrayList<>();
    for (int m = 0; m < models; m++) {
      tenants.add(
          tenant(
              "m" + m,
              1 + random.nextInt(300),
              60 + random.nextInt(200),
              0.1 + random.nextDouble(),
              1 + 8 * random.nextDouble(),
              (1 + random.nextInt(4)) * GIB));
    }

    PlacementPlan plan = SquishyPacking.plan(tenants, devices, 12 * GIB, null);

    assertThat(plan.devices()).hasSize(devices);
    for (PlacementPlan.Device device : plan.devices()) {
      assertThat(device.busyNs()).isLessThanOrEqualTo(device.dutyNs() + 1);
      assertThat(device.bytes()).isLessThanOrEqualTo(12 * GIB);
      for (PlacementPlan.Share share : device.shares()) {
        Tenant tenant = tenants.get(Integer.parseInt(share.model().substring(1)));
        double latency = device.dutyNs() + tenant.batchNs(share.batch());
        assertThat(latency).isLessThanOrEqualTo((double) tenant.objectiveNs() + 1);
        assertThat(share.batch() * 1e9 / device.dutyNs())
            .isGreaterThanOrEqualTo(share.perSecond() * (1 - 1e-6));
      }
    }
    for (Tenant tenant : tenants) {
      double placed = plan.placed().getOrDefault(tenant.model(), 0.0);
      double unplaced = plan.unplaced().getOrDefault(tenant.model(), 0.0);
      assertThat(placed + unplaced).isCloseTo(tenant.perSecond(), Offset.offset(1e-6));
    }
  }

  private static Tenant tenant(
      String model, double perSecond, int slo, double alpha, double beta, long bytes) {
    return new Tenant(model, perSecond, slo * MS, 0, alpha * MS, beta * MS, 64, bytes, 1000 * MS);
  }

  private static Tenant withLoadNs(Tenant t, long loadNs) {
    return new Tenant(
        t.model(),
        t.perSecond(),
        t.objectiveNs(),
        t.overheadNs(),
        t.alphaNs(),
        t.betaNs(),
        t.maxBatch(),
        t.bytes(),
        loadNs);
  }
}
