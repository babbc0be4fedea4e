package dev.conveyor.verticles.bench.load;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LaneRecorderTest {

  private static final long MS = 1_000_000;
  // Survives overflow of nanoTime; not a constant to the compiler, which would refuse it.
  private static final long OPEN = Long.valueOf(Long.MAX_VALUE - 5 * MS);
  private static final long CLOSE = OPEN + 10 * MS;

  @Test
  void shouldCountAnswersWithinTheWindowInAClosedLoop() {
    LaneRecorder recorder = window(false);

    recorder.succeeded(OPEN - 5 * MS, OPEN - 1);
    recorder.succeeded(OPEN - 5 * MS, OPEN);
    recorder.succeeded(CLOSE - 5 * MS, CLOSE - 1);
    recorder.succeeded(CLOSE - 5 * MS, CLOSE);

    LaneResult result = recorder.result("m", 3);
    assertThat(result.answered()).isEqualTo(2);
    assertThat(result.inferences()).isEqualTo(6);
    assertThat(result.latencyNs().getTotalCount()).isEqualTo(2);
  }

  @Test
  void shouldKeepLatenciesOfRequestsDueWithinTheWindowInAnOpenLoopHoweverLate() {
    LaneRecorder recorder = window(true);

    recorder.succeeded(OPEN - 1, OPEN + MS);
    recorder.succeeded(OPEN, OPEN + MS);
    recorder.succeeded(CLOSE - 1, CLOSE - 1 + 400 * MS);
    recorder.succeeded(CLOSE, CLOSE + MS);

    LaneResult result = recorder.result("m", 1);
    assertThat(result.latencyNs().getTotalCount()).isEqualTo(2);
    assertThat(result.latencyNs().getMaxValue()).isBetween(399 * MS, 401 * MS);
    assertThat(result.answered()).isEqualTo(2);
  }

  @Test
  void shouldRecordNothingBeforeTheWindowOpens() {
    LaneRecorder recorder = new LaneRecorder(true);

    recorder.sent(5, 6);
    recorder.succeeded(5, 6);
    recorder.failed("x", 5, 5, 6);

    LaneResult result = recorder.result("m", 1);
    assertThat(result.answered()).isZero();
    assertThat(result.failures()).isZero();
    assertThat(result.lateNs().getTotalCount()).isZero();
  }

  @Test
  void shouldCountFailuresByFirstLineOfTheirMessage() {
    LaneRecorder recorder = window(false);

    recorder.failed("queue full\nand more", OPEN, OPEN, OPEN + 1);
    recorder.failed("queue full", OPEN, OPEN, OPEN + 1);
    recorder.failed("x".repeat(500), OPEN, OPEN, OPEN + 1);
    recorder.failed("queue full", OPEN, OPEN, CLOSE);
    recorder.unanswered("no answer", 4);
    recorder.unanswered("never", 0);

    LaneResult result = recorder.result("m", 1);
    assertThat(result.errors())
        .containsEntry("queue full", 2L)
        .containsEntry("x".repeat(160) + "…", 1L)
        .containsEntry("no answer", 4L)
        .hasSize(3);
    assertThat(result.failures()).isEqualTo(7);
  }

  @Test
  void shouldTakeTheTimeOfAFailureFromWhenItsRequestWasSent() {
    LaneRecorder recorder = window(true);

    recorder.failed("refused", OPEN - 1, OPEN, OPEN + MS);
    recorder.failed("refused", OPEN, OPEN + 5 * MS, OPEN + 7 * MS);

    LaneResult result = recorder.result("m", 1);
    assertThat(result.failureNs().getTotalCount()).isEqualTo(1);
    assertThat(result.failureNs().getMaxValue()).isBetween(2 * MS - 10_000, 2 * MS + 10_000);
  }

  private static LaneRecorder window(boolean byDueTime) {
    LaneRecorder recorder = new LaneRecorder(byDueTime);
    recorder.open(OPEN);
    recorder.close(CLOSE);
    return recorder;
  }
}
