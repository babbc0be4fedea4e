package dev.conveyor.scheduler.placement;

import static dev.conveyor.scheduler.placement.Fleets.MS;
import static dev.conveyor.scheduler.placement.Fleets.SECOND;
import static dev.conveyor.scheduler.placement.Fleets.devices;
import static dev.conveyor.scheduler.placement.Fleets.model;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class SquishyPackingTest {

  private static Packing pack(List<FleetDevice> devices, Layout layout, ModelNeed... models) {
    return new SquishyPacking(devices, List.of(models), 1).of(layout);
  }

  @Test
  void shouldGiveWholeDevicesToWhatFillsThem() {
    Layout everywhere = Layout.of(List.of(List.of(0, 1, 2)));

    Packing packing = pack(devices(3, 100), everywhere, model("m", 1700));

    assertThat(packing.carried(0)).isEqualTo(1);
    assertThat(packing.shares()).hasSize(3);
    assertThat(packing.shares().get(0).ratePerSecond()).isCloseTo(800, within(1e-6));
    assertThat(packing.shares().get(0).batch()).isEqualTo(4);
    assertThat(packing.shares().get(2).ratePerSecond()).isCloseTo(100, within(1e-6));
    assertThat(packing.occupancy(0)).isCloseTo(1, within(1e-9));
  }

  @Test
  void shouldCarryNoMoreThanThereIsTimeFor() {
    Layout both = Layout.of(List.of(List.of(0, 1)));

    assertThat(pack(devices(2, 100), both, model("m", 1600)).carried(0)).isEqualTo(1);
    assertThat(pack(devices(2, 100), both, model("m", 2000)).carried(0))
        .isCloseTo(0.8, within(0.001));
  }

  /** In a cycle of 6 ms: 3 items of one, which are 4 ms, and 2 ms for the other, which are one. */
  @Test
  void shouldMergeModelsWhoseBatchesFitIntoTheShorterCycle() {
    Layout one = Layout.of(List.of(List.of(0), List.of(0)));
    double most = 1e9 / (6 * MS) - 1e-6;

    Packing fits = pack(devices(1, 100), one, model("a", 500), model("b", most));
    Packing tight = pack(devices(1, 100), one, model("a", 500), model("b", 1.2 * most));

    assertThat(fits.carried(0)).isEqualTo(1);
    assertThat(fits.carried(1)).isEqualTo(1);
    assertThat(fits.occupancy(0)).isLessThanOrEqualTo(1);
    assertThat(tight.carried(0)).isEqualTo(1);
    assertThat(tight.carried(1)).isLessThan(1).isGreaterThan(0.7);
    assertThat(tight.occupancy(0)).isLessThanOrEqualTo(1);
  }

  @Test
  void shouldHaveTheModelGiveWayThatHasAnotherDevice() {
    Layout layout = Layout.of(List.of(List.of(0, 1), List.of(0)));

    Packing packing = pack(devices(2, 100), layout, model("large", 780), model("only", 700));

    assertThat(packing.carried(0)).isEqualTo(1);
    assertThat(packing.carried(1)).isEqualTo(1);
  }

  @Test
  void shouldPackWithHeadroomAndTellRatesWithoutIt() {
    SquishyPacking squishy = new SquishyPacking(devices(1, 9), List.of(model("m", 800)), 1.25);

    Packing packing = squishy.of(Layout.of(List.of(List.of(0))));

    assertThat(packing.carried(0)).isCloseTo(0.8, within(0.001));
    assertThat(packing.shares().get(0).ratePerSecond()).isCloseTo(640, within(1.0));
    assertThat(packing.value()).isCloseTo(0.8, within(0.001));
    assertThat(packing.need()).isCloseTo(1, within(1e-9));
  }

  @Test
  void shouldUseNoDeviceThatIsTooSlowForTheObjectiveUnlessAllAre() {
    List<FleetDevice> slowAndFast =
        List.of(new FleetDevice("slow", "gpu", 9, 0.1, 1), new FleetDevice("fast", "gpu", 9, 1, 1));
    Layout both = Layout.of(List.of(List.of(0, 1)));

    Packing packing = pack(slowAndFast, both, model("m", 1600));
    Packing slowOnly =
        pack(slowAndFast.subList(0, 1), Layout.of(List.of(List.of(0))), model("m", 1));

    assertThat(packing.shares()).extracting(Packing.Share::device).containsOnly(1);
    assertThat(slowOnly.carried(0)).isEqualTo(1);
  }

  @Test
  void shouldRunNothingOnAKindThatTheModelHasNoTimesFor() {
    List<FleetDevice> tpu = List.of(new FleetDevice("t", "tpu", 9, 1, 1));

    Packing packing = pack(tpu, Layout.of(List.of(List.of(0))), model("m", 10));

    assertThat(packing.shares()).isEmpty();
    assertThat(packing.value()).isZero();
  }

  @Test
  void shouldPackAnewWithinMemoryAndLeaveWhatIsPinned() {
    List<ModelNeed> models =
        List.of(
            model("pinned", 1, 30, SECOND, true),
            model("a", 700, 20, SECOND, false),
            model("b", 700, 20, SECOND, false),
            model("idle", 0, 30, SECOND, false));
    Layout present = Layout.of(List.of(List.of(1), List.of(1), List.of(1), List.of(0)));

    Layout fresh = new SquishyPacking(devices(2, 70), models, 1).fresh(present);

    assertThat(fresh.devices(0)).containsExactly(1);
    assertThat(fresh.devices(1)).doesNotContainAnyElementsOf(fresh.devices(2));
    assertThat(fresh.devices(3)).hasSize(1);
    assertThat(fresh.bytesOn(0, models)).isLessThanOrEqualTo(70);
    assertThat(fresh.bytesOn(1, models)).isLessThanOrEqualTo(70);
  }

  @Test
  void shouldCountSlotsThatRunAtOnce() {
    List<FleetDevice> wide = List.of(new FleetDevice("d", "gpu", 9, 1, 2));

    Packing packing = pack(wide, Layout.of(List.of(List.of(0))), model("m", 1600));

    assertThat(packing.carried(0)).isEqualTo(1);
    assertThat(packing.shares().get(0).ratePerSecond()).isCloseTo(1600, within(1e-6));
  }

  @Test
  void shouldSayWhatIsWrongWithAModel() {
    assertThatThrownBy(() -> new ModelNeed("m", 1, 1, 1, 1, 1, false, 3, 2, Map.of()))
        .hasMessageContaining("0 <= minDevices <= maxDevices")
        .hasMessageContaining("3, 2");
  }
}
