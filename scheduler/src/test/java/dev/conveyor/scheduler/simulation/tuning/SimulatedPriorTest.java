package dev.conveyor.scheduler.simulation.tuning;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.tune.LoadShape;
import dev.conveyor.models.tune.Objective;
import dev.conveyor.models.tune.Setting;
import dev.conveyor.scheduler.simulation.tuning.SimulatedPrior.Costs;
import dev.conveyor.scheduler.simulation.tuning.SimulatedPrior.Kernel;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SimulatedPriorTest {

  /** 4 ms for a batch and 1 ms for each item on one thread; two threads save a third. */
  private static final Map<Kernel, Costs> COSTS =
      Map.of(
          new Kernel(1, "cpu", 1), new Costs(List.of(1, 16), List.of(5e6, 20e6)),
          new Kernel(1, "cpu", 2), new Costs(List.of(1, 16), List.of(3.3e6, 13.3e6)));

  private static final Setting ONE = new Setting(1, 1, 16, 0, 1, "cpu");
  private static final Setting TWO = new Setting(2, 1, 16, 0, 1, "cpu");
  private static final Setting SINGLE = new Setting(2, 1, 1, 0, 1, "cpu");
  private static final Setting THREADS = new Setting(1, 2, 16, 0, 1, "cpu");

  private static SimulatedPrior prior(double p99Ms, LoadShape load) {
    return new SimulatedPrior(COSTS, new Objective(p99Ms * 1e6), load, 2);
  }

  @Test
  void shouldExpectMoreOfBatchesAndOfInstancesUnderHighLoad() {
    SimulatedPrior prior = prior(100, new LoadShape.Closed(32));
    assertThat(prior.worth(TWO)).isGreaterThan(1.7 * prior.worth(ONE));
    assertThat(prior.worth(TWO)).isGreaterThan(1.5 * prior.worth(SINGLE));
    assertThat(prior.worth(TWO)).isGreaterThan(prior.worth(THREADS));
  }

  @Test
  void shouldExpectMostOfThreadsWhenOneRequestIsInFlight() {
    SimulatedPrior prior = prior(100, new LoadShape.Closed(1));
    assertThat(prior.worth(THREADS)).isGreaterThan(1.3 * prior.worth(TWO));
    assertThat(prior.worth(ONE)).isBetween(0.9 * prior.worth(TWO), prior.worth(TWO));
  }

  @Test
  void shouldExpectMoreThreadsToGainWhereOneRequestIsInFlightOnly() {
    Setting idle = new Setting(2, 1, 2, 16, 0, 1, "cpu");
    SimulatedPrior alone = prior(100, new LoadShape.Closed(1));
    assertThat(alone.worth(idle)).isBetween(1.2 * alone.worth(TWO), alone.worth(THREADS));
    SimulatedPrior busy = prior(100, new LoadShape.Closed(8));
    assertThat(busy.worth(idle)).isBetween(0.9 * busy.worth(TWO), busy.worth(TWO));
  }

  @Test
  void shouldExpectLessOfBatchesThatWaitForClientsWhoWaitForThem() {
    SimulatedPrior prior = prior(100, new LoadShape.Closed(8));
    assertThat(prior.worth(new Setting(2, 1, 16, 5000, 1, "cpu")))
        .isLessThan(0.8 * prior.worth(TWO));
  }

  @Test
  void shouldExpectNothingOfAnObjectiveThatOneItemMisses() {
    SimulatedPrior prior = prior(4, new LoadShape.Closed(8));
    assertThat(prior.worth(ONE)).isNegative();
    assertThat(prior.worth(THREADS)).isPositive();
  }

  @Test
  void shouldPreferHeadroomWhenSeveralSettingsKeepUpWithAnOpenLoad() {
    SimulatedPrior prior = prior(100, new LoadShape.Open(50));
    assertThat(prior.worth(TWO)).isGreaterThan(prior.worth(ONE)).isBetween(50.0, 50.5);
  }

  @Test
  void shouldDivideTheCoresWhereTheSettingLeavesItToThem() {
    SimulatedPrior prior = prior(100, new LoadShape.Closed(8));
    assertThat(prior.worth(new Setting(1, 0, 16, 0, 1, "cpu"))).isEqualTo(prior.worth(THREADS));
    assertThat(prior.worth(new Setting(2, 0, 16, 0, 1, "cpu"))).isEqualTo(prior.worth(TWO));
  }

  @Test
  void shouldGiveNothingForKernelsWithoutCosts() {
    assertThat(prior(100, new LoadShape.Closed(8)).worth(new Setting(1, 1, 1, 0, 9, "cpu")))
        .isEqualTo(Double.NEGATIVE_INFINITY);
  }
}
