package dev.conveyor.scheduler.placement;

import static dev.conveyor.scheduler.placement.Fleets.MS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Map;
import org.junit.jupiter.api.Test;

final class DeviceFitTest {

  private static DeviceFit fit(long objectiveNs, double speed) {
    ModelNeed.BatchTimes times = items -> MS + MS * (double) items;
    ModelNeed model =
        new ModelNeed("m", 1, 0, 8, objectiveNs, 1, false, 1, 1, Map.of("gpu", times));
    return new DeviceFit(model, times, speed);
  }

  @Test
  void shouldFillADeviceWithTheLargestBatchOfWhichTwoAreInTime() {
    assertThat(fit(10 * MS, 1).wholeBatch()).isEqualTo(4);
    assertThat(fit(10 * MS - 1, 1).wholeBatch()).isEqualTo(3);
    assertThat(fit(10 * MS, 1).wholeRate()).isCloseTo(800, within(1e-6));
    assertThat(fit(10 * MS, 2).wholeBatch()).isEqualTo(8);
    assertThat(fit(10 * MS, 2).wholeDutyNs()).isEqualTo(4.5 * MS);
  }

  @Test
  void shouldTellWhetherASingleItemIsInTime() {
    assertThat(fit(2 * MS, 1).meets()).isTrue();
    assertThat(fit(2 * MS - 1, 1).meets()).isFalse();
    assertThat(fit(2 * MS - 1, 1).wholeBatch()).isEqualTo(1);
  }

  @Test
  void shouldHoldLatencyAgainstFourOfTheLargestBatchesWithoutAnObjective() {
    assertThat(fit(0, 1).wholeBatch()).isEqualTo(8);
    assertThat(fit(0, 1).dutyNs(1)).isEqualTo(34.0 * MS);
  }

  @Test
  void shouldHaveItsTurnSoOftenThatAMissedBatchAndTheNextAreInTime() {
    // 3 items are 2 gaps and a batch of 4 ms; the cycle is the rest.
    assertThat(fit(10 * MS, 1).dutyNs(400)).isEqualTo(6.0 * MS);
    // So rarely comes one that the cycle is what its own batch leaves.
    assertThat(fit(10 * MS, 1).dutyNs(1)).isEqualTo(8.0 * MS);
  }

  @Test
  void shouldTakeTimeInProportionBetweenBatchSizes() {
    DeviceFit fit = fit(10 * MS, 1);

    assertThat(fit.busyNs(100, 5 * MS)).isCloseTo(1.0 * MS, within(1e-3));
    assertThat(fit.busyNs(200, 5 * MS)).isCloseTo(2.0 * MS, within(1e-3));
    assertThat(fit.busyNs(300, 5 * MS)).isCloseTo(2.5 * MS, within(1e-3));
    assertThat(fit.busyNs(1600, 5 * MS)).isCloseTo(9.0 * MS, within(1e-3));
    assertThat(fit.busyNs(3200, 5 * MS)).isCloseTo(18.0 * MS, within(1e-3));
  }
}
