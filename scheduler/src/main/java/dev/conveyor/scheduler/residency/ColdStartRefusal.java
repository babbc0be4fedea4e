package dev.conveyor.scheduler.residency;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;

/**
 * Why a request does not wait for its model to be loaded.
 *
 * @param late whether it would be answered after its deadline; else its model cannot be loaded now
 * @param retryAfterNs when the same request could be served
 */
public record ColdStartRefusal(String reason, boolean late, long retryAfterNs) {

  /**
   * Returns the refusal of a request that would be answered too late.
   *
   * @param answerNs until its answer, by what is expected
   * @param budgetNs until its deadline
   * @param retryAfterNs when the same request could be served
   */
  public static ColdStartRefusal late(long answerNs, long budgetNs, long retryAfterNs) {
    String reason =
        "it is not in memory and would answer in %s, the request ends in %s"
            .formatted(ms(answerNs), ms(Math.max(0, budgetNs)));
    return new ColdStartRefusal(reason, true, retryAfterNs);
  }

  /** Returns what the client is told. */
  public InferenceException asFailure(String model) {
    String message = "Model '" + model + "' is not ready: " + reason;
    return late
        ? new InferenceException(
            ErrorCode.OVERLOADED, message, RefusalReason.DEADLINE, retryAfterNs)
        : new InferenceException(ErrorCode.UNAVAILABLE, message, null, retryAfterNs);
  }

  static String ms(long ns) {
    return "%d ms".formatted((ns + 999_999) / 1_000_000);
  }
}
