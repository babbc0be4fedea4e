package dev.conveyor.verticles.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.RefusalReason;
import dev.conveyor.verticles.metrics.ModelStats.Reason;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import org.junit.jupiter.api.Test;

final class ModelWindowTest {

  private static final long SECOND = 1_000_000_000L;
  // Survives overflow of nanoTime. Not a constant: the compiler would see the overflow.
  private static final long T0 = Long.valueOf(Long.MAX_VALUE - 3 * SECOND);

  private final RecordingModelStats stats = new RecordingModelStats();
  private final ModelWindow window = new ModelWindow(stats, T0);

  @Test
  void shouldMeasureRatesOverTheTimeThatPassed() {
    for (int i = 0; i < 30; i++) {
      stats.onSuccess(2, 0, 0, 1_000_000);
    }
    stats.onFailure(Reason.BACKEND, 1);
    window.sample(T0 + 2 * SECOND);
    assertThat(window.perSecond()).isEqualTo(30);
    assertThat(window.failuresPerSecond()).isEqualTo(0.5);
  }

  @Test
  void shouldShareWhatWasInTimeAmongAllThatCameWithinTheWindow() {
    stats.onObjective(false);
    for (int s = 1; s <= 10; s++) {
      window.sample(T0 + s * SECOND);
    }
    assertThat(window.shareInObjective()).hasValue(0);

    stats.onObjective(true);
    stats.onRefused(RefusalReason.OVERLOADED);
    window.sample(T0 + 11 * SECOND);
    assertThat(window.shareInObjective()).hasValue(0.5);
    for (int s = 12; s <= 21; s++) {
      window.sample(T0 + s * SECOND);
    }
    assertThat(window.shareInObjective()).isEmpty();
  }

  @Test
  void shouldForgetWhatIsOlderThanTheWindowAndNotBefore() {
    stats.onSuccess(1, 0, 0, 40_000_000);
    for (int s = 1; s <= 10; s++) {
      window.sample(T0 + s * SECOND);
    }
    assertThat(window.quantileMs(0.5).orElseThrow()).isCloseTo(40, within(6.0));

    window.sample(T0 + 11 * SECOND);
    assertThat(window.quantileMs(0.5)).isEmpty();
    assertThat(window.perSecond()).isZero();
  }

  @Test
  void shouldShowWhatHappenedBeforeItBeganAsNothing() {
    RecordingModelStats old = new RecordingModelStats();
    old.onSuccess(5, 0, 0, 1);
    ModelWindow late = new ModelWindow(old, T0);
    late.sample(T0 + SECOND);
    assertThat(late.perSecond()).isZero();
    assertThat(late.isOf(old)).isTrue();
    assertThat(late.isOf(stats)).isFalse();
  }

  @Test
  void shouldAverageBatchSizesOfTheWindow() {
    assertThat(window.meanBatch()).isEmpty();
    stats.onBatch(8, 8, 1, 1, 1);
    stats.onBatch(1, 2, 1, 1, 1);
    window.sample(T0 + SECOND);
    assertThat(window.meanBatch()).hasValue(5);
  }

  @Test
  void shouldKeepOnePointPerSampleUpToTheLimit() {
    for (int s = 1; s <= ModelWindow.POINTS + 5; s++) {
      stats.onSuccess(s, 0, 0, 1_000_000);
      window.sample(T0 + s * SECOND);
    }
    assertThat(window.points()).hasSize(ModelWindow.POINTS);
    assertThat(window.points().get(0).perSecond()).isEqualTo(6);
    assertThat(window.points().get(ModelWindow.POINTS - 1).perSecond()).isEqualTo(95);
  }

  @Test
  void shouldMarkPointsWithoutAnswers() {
    window.sample(T0 + SECOND);
    assertThat(window.points().get(0).p99Ms()).isNegative();
  }

  @Test
  void shouldIgnoreASampleWhenNoTimePassed() {
    window.sample(T0);
    assertThat(window.points()).isEmpty();
    assertThat(window.perSecond()).isZero();
  }
}
