package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.InferenceRequest;
import org.junit.jupiter.api.Test;

/** Which failure of a step is the objective's. */
final class DeadlinesTest {

  private static final long NEVER = InferenceRequest.NO_DEADLINE;
  private static final long OVER_NS = 500_000_000;

  private static final Deadlines PROMISED = new Deadlines(NEVER, NEVER, OVER_NS, 500_000);

  private final InferenceException timedOut =
      new InferenceException(ErrorCode.DEADLINE_EXCEEDED, "Request timeout expired");

  private final InferenceException wouldBeLate =
      new InferenceException(
          ErrorCode.DEADLINE_EXCEEDED,
          "too late",
          RefusalReason.DEADLINE,
          InferenceException.UNKNOWN);

  @Test
  void shouldLeaveATimeoutOfTheStepsOwnQueueWhatItIs() {
    assertThat(PROMISED.inSteps(timedOut, OVER_NS - 1)).isSameAs(timedOut);
    assertThat(PROMISED.inSteps(timedOut, OVER_NS))
        .as("the objective is over by now")
        .extracting(InferenceException::code)
        .isEqualTo(ErrorCode.OVERLOADED);
  }

  @Test
  void shouldSayOverloadedWhenAStepWouldMissTheObjective() {
    InferenceException failure = PROMISED.inSteps(wouldBeLate, OVER_NS - 1);
    assertThat(failure.code()).isEqualTo(ErrorCode.OVERLOADED);
    assertThat(failure.reason()).isEqualTo(RefusalReason.DEADLINE);
    assertThat(failure).hasMessageContaining("objective of 500000 us was over or would be");
  }

  @Test
  void shouldLeaveTheClientsDeadlineTheClients() {
    Deadlines hurried = new Deadlines(OVER_NS - 10, NEVER, OVER_NS, 500_000);
    assertThat(hurried.inSteps(wouldBeLate, 0)).isSameAs(wouldBeLate);
    Deadlines none = new Deadlines(OVER_NS, NEVER, NEVER, 0);
    assertThat(none.inSteps(wouldBeLate, 0)).isSameAs(wouldBeLate);
  }
}
