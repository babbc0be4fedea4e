package dev.conveyor.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LoneRequestsTest {

  private final LoneRequests lone = new LoneRequests();

  @Test
  void shouldBeAHabitFromTheStreakOn() {
    repeat(LoneRequests.STREAK - 1);
    assertThat(lone.isHabit()).isFalse();
    repeat(1);
    assertThat(lone.isHabit()).isTrue();
  }

  @Test
  void shouldEndWithABatchOfTwo() {
    repeat(LoneRequests.STREAK);
    lone.onDispatch(1, 2, 1);
    assertThat(lone.isHabit()).isFalse();
  }

  @Test
  void shouldEndWithASecondBatch() {
    repeat(LoneRequests.STREAK);
    lone.onDispatch(2, 1, 2);
    assertThat(lone.isHabit()).isFalse();
  }

  @Test
  void shouldEndWhenSomethingElseRuns() {
    repeat(LoneRequests.STREAK);
    lone.onDispatch(1, 1, 2);
    assertThat(lone.isHabit()).isFalse();
  }

  @Test
  void shouldEndWithALongExecution() {
    repeat(LoneRequests.STREAK);
    lone.onOutcome(LoneRequests.SHORT_NS);
    assertThat(lone.isHabit()).isTrue();
    lone.onOutcome(LoneRequests.SHORT_NS + 1);
    assertThat(lone.isHabit()).isFalse();
  }

  private void repeat(int times) {
    for (int i = 0; i < times; i++) {
      lone.onDispatch(1, 1, 1);
      lone.onOutcome(10_000);
    }
  }
}
