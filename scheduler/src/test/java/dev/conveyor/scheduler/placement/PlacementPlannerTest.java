package dev.conveyor.scheduler.placement;

import static dev.conveyor.scheduler.placement.Fleets.SECOND;
import static dev.conveyor.scheduler.placement.Fleets.bounded;
import static dev.conveyor.scheduler.placement.Fleets.devices;
import static dev.conveyor.scheduler.placement.Fleets.model;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.placement.PlacementPlanner.Plan;
import dev.conveyor.scheduler.placement.PlacementPlanner.Settings;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class PlacementPlannerTest {

  /** Survives the overflow of nanoTime. */
  private static final long T0 = Long.valueOf(Long.MAX_VALUE - SECOND);

  private static final Settings AT_ONCE = new Settings(1, 0.1, 0);
  private static final Layout BOTH_ON_FIRST = Layout.of(List.of(List.of(0), List.of(0)));

  private static Plan plan(
      List<FleetDevice> devices, Settings settings, Layout layout, ModelNeed... models) {
    return new PlacementPlanner(settings).plan(devices, List.of(models), layout, T0);
  }

  @Test
  void shouldStayWhereAllIsCarried() {
    Plan plan = plan(devices(2, 100), AT_ONCE, BOTH_ON_FIRST, model("a", 300), model("b", 50));

    assertThat(plan.step()).isEmpty();
    assertThat(plan.reason()).startsWith("stays: ");
    assertThat(plan.packing().carried(0)).isEqualTo(1);
  }

  @Test
  void shouldLoadOntoTheDeviceWithTimeToSpareWhatFallsShort() {
    Plan plan = plan(devices(2, 100), AT_ONCE, BOTH_ON_FIRST, model("a", 700), model("b", 700));

    PlacementStep step = plan.step().orElseThrow();
    assertThat(step.device()).isEqualTo(1);
    assertThat(step.leaving()).isEmpty();
    assertThat(step.gain()).isGreaterThan(0.5);
    assertThat(plan.reason())
        .isEqualTo(
            "there is time for 7 % of 1.00 times the 700.0/s of b; with b on d1, too, the work of"
                + " 0.81 devices more is carried");
  }

  @Test
  void shouldTakeAStepThatCarriesEnoughMoreAndNoOther() {
    ModelNeed[] models = {model("a", 700), model("b", 700)};
    PlacementStep step = plan(devices(2, 100), AT_ONCE, BOTH_ON_FIRST, models).step().orElseThrow();
    double part = step.gain() / (700 / 800.0);

    Settings enough = new Settings(1, part - 1e-9, 0);
    Settings tooMuch = new Settings(1, part + 1e-9, 0);

    assertThat(plan(devices(2, 100), enough, BOTH_ON_FIRST, models).step()).isPresent();
    assertThat(plan(devices(2, 100), tooMuch, BOTH_ON_FIRST, models).step()).isEmpty();
  }

  @Test
  void shouldWaitUntilAsMuchIsLostAsTheLoadCosts() {
    List<ModelNeed> models = List.of(model("a", 700), model("b", 700));
    double gain =
        plan(devices(2, 100), AT_ONCE, BOTH_ON_FIRST, models.toArray(new ModelNeed[0]))
            .step()
            .orElseThrow()
            .gain();
    long dueNs = (long) Math.ceil(SECOND * (700 / 800.0) / gain);
    PlacementPlanner planner = new PlacementPlanner(new Settings(1, 0.1, 1));

    assertThat(planner.plan(devices(2, 100), models, BOTH_ON_FIRST, T0).step()).isEmpty();
    Plan early = planner.plan(devices(2, 100), models, BOTH_ON_FIRST, T0 + dueNs - 2);
    assertThat(early.step()).isEmpty();
    assertThat(early.reason()).startsWith("not yet, 100 % of what it costs is lost: ");
    assertThat(planner.plan(devices(2, 100), models, BOTH_ON_FIRST, T0 + dueNs).step()).isPresent();
  }

  @Test
  void shouldForgetWhatWasLostOnceNothingFallsShort() {
    List<ModelNeed> busy = List.of(model("a", 700), model("b", 700));
    List<ModelNeed> calm = List.of(model("a", 300), model("b", 50));
    PlacementPlanner planner = new PlacementPlanner(new Settings(1, 0.1, 1));

    planner.plan(devices(2, 100), busy, BOTH_ON_FIRST, T0);
    planner.plan(devices(2, 100), busy, BOTH_ON_FIRST, T0 + SECOND / 2);
    planner.plan(devices(2, 100), calm, BOTH_ON_FIRST, T0 + SECOND);

    assertThat(planner.plan(devices(2, 100), busy, BOTH_ON_FIRST, T0 + SECOND + SECOND / 2).step())
        .isEmpty();
  }

  @Test
  void shouldNotCountTimeThatItDidNotLook() {
    List<ModelNeed> busy =
        List.of(model("a", 700, 10, 60 * SECOND, false), model("b", 700, 10, 60 * SECOND, false));
    PlacementPlanner planner = new PlacementPlanner(new Settings(1, 0.1, 1));

    planner.plan(devices(2, 100), busy, BOTH_ON_FIRST, T0);

    assertThat(planner.plan(devices(2, 100), busy, BOTH_ON_FIRST, T0 + 600 * SECOND).step())
        .isEmpty();
  }

  @Test
  void shouldTakeOnlyMemoryThatIsThere() {
    Layout layout = Layout.of(List.of(List.of(0), List.of(0), List.of(1)));
    ModelNeed[] models = {model("a", 700), model("b", 700), model("c", 1)};

    assertThat(plan(devices(2, 20), AT_ONCE, layout, models).step()).isPresent();
    assertThat(plan(devices(2, 19), AT_ONCE, layout, models).step()).isEmpty();
  }

  @Test
  void shouldHaveCopiesLeaveForRoomAndNobodysLastOne() {
    Layout layout = Layout.of(List.of(List.of(0), List.of(0), List.of(1), List.of(0, 1)));
    ModelNeed[] models = {model("a", 700), model("b", 700), model("last", 1), model("copy", 1)};

    Plan plan = plan(devices(2, 30), AT_ONCE, layout, models);
    PlacementStep step = plan.step().orElseThrow();
    assertThat(step.leaving()).isEmpty();

    PlacementStep tight =
        plan(
                List.of(devices(1, 30).get(0), new FleetDevice("d1", "gpu", 20, 1, 1)),
                AT_ONCE,
                layout,
                models)
            .step()
            .orElseThrow();
    assertThat(tight.leaving()).containsExactly(3);
    assertThat(tight.reason()).endsWith("; for room copy leaves");
    assertThat(tight.applyTo(layout).devices(3)).containsExactly(0);
  }

  @Test
  void shouldLeavePinnedModelsWhereTheyAre() {
    Layout layout = Layout.of(List.of(List.of(0), List.of(0)));
    ModelNeed a = model("a", 700, 10, SECOND, true);
    ModelNeed b = model("b", 700, 10, SECOND, false);
    ModelNeed pinnedToo = model("b", 700, 10, SECOND, true);

    assertThat(plan(devices(2, 100), AT_ONCE, layout, a, b).step().orElseThrow().model())
        .isEqualTo(1);
    assertThat(plan(devices(2, 100), AT_ONCE, layout, a, pinnedToo).step()).isEmpty();
  }

  @Test
  void shouldPlaceAtOnceWhatIsNowhere() {
    Layout layout = Layout.of(List.of(List.of(0), List.of()));
    Settings patient = new Settings(1, 0.1, 1000);

    Plan plan = plan(devices(2, 100), patient, layout, model("a", 700), model("b", 1));

    assertThat(plan.step().orElseThrow().model()).isEqualTo(1);
    assertThat(plan.reason()).isEqualTo("is on no device");
  }

  @Test
  void shouldKeepToTheLeastAndTheMostDevices() {
    Layout layout = Layout.of(List.of(List.of(0)));

    assertThat(plan(devices(2, 100), AT_ONCE, layout, bounded("m", 1, 2, 2)).reason())
        .isEqualTo("is on 1, has to be on 2");
    assertThat(plan(devices(2, 100), AT_ONCE, layout, bounded("m", 1600, 1, 2)).step()).isPresent();
    assertThat(plan(devices(2, 100), AT_ONCE, layout, bounded("m", 1600, 1, 1)).step()).isEmpty();
  }

  @Test
  void shouldMoveANeighbourIfTheModelThatFallsShortHasNoRoomElsewhere() {
    Layout layout = Layout.of(List.of(List.of(0), List.of(0), List.of(1)));
    ModelNeed huge = model("huge", 700, 60, SECOND, false);
    ModelNeed small = model("small", 650, 10, SECOND, false);
    ModelNeed other = model("other", 1, 60, SECOND, false);

    PlacementStep step =
        plan(devices(2, 100), AT_ONCE, layout, huge, small, other).step().orElseThrow();

    assertThat(step.model()).isEqualTo(1);
    assertThat(step.device()).isEqualTo(1);
  }

  /** One device of 21 is less than a tenth of what comes for it. */
  @Test
  void shouldGiveAModelThatTakesManyDevicesOneMore() {
    Layout layout = Layout.of(List.of(IntStream.range(0, 20).boxed().toList()));
    ModelNeed large = model("large", 21 * 800);

    assertThat(plan(devices(21, 100), AT_ONCE, layout, large).step().orElseThrow().device())
        .isEqualTo(20);
    assertThat(plan(devices(21, 100), AT_ONCE, layout, model("m", 20.05 * 800)).step()).isEmpty();
  }
}
