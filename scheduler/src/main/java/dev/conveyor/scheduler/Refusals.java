package dev.conveyor.scheduler;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;

/** What clients are told when the scheduler does not take or keep their request. */
final class Refusals {

  private Refusals() {}

  static InferenceException unknown(InferenceRequest request) {
    return new InferenceException(
        ErrorCode.NOT_FOUND,
        "Request for unknown model: '"
            + request.model()
            + "' version "
            + request.version()
            + " is not found");
  }

  static InferenceException notReady(ModelPlan plan, String reason) {
    return new InferenceException(
        ErrorCode.UNAVAILABLE, "Model '" + plan.name() + "' is not ready: " + reason);
  }

  /** Refuses what a model without an instance cannot run, and says when the next one may be up. */
  static InferenceException lost(ModelState model, String reason, long nowNs) {
    long waitNs = model.retryAtNs - nowNs;
    return new InferenceException(
        ErrorCode.UNAVAILABLE,
        "Model '" + model.plan.name() + "' is not ready: " + reason,
        null,
        waitNs > 0 ? waitNs : InferenceException.UNKNOWN);
  }

  static InferenceException overloaded(ModelPlan plan, long targetNs) {
    return new InferenceException(
        ErrorCode.OVERLOADED,
        "model '"
            + plan.name()
            + "' is overloaded: the request has waited for more than "
            + targetNs / 1000
            + " us",
        RefusalReason.OVERLOADED,
        targetNs);
  }

  static InferenceException overShare(ModelPlan plan, InferenceRequest request, double aheadNs) {
    return new InferenceException(
        ErrorCode.OVERLOADED,
        "model '"
            + plan.name()
            + "' is overloaded: tenant '"
            + request.tenant()
            + "' is "
            + Math.round(aheadNs / 1000)
            + " us of device time ahead of its share",
        RefusalReason.OVERLOADED,
        Math.max(1, Math.round(aheadNs)));
  }

  /** Gives way to a tenant that has less than its share of a full queue. */
  static InferenceException displaced(ModelPlan plan, InferenceRequest request, long retryAfterNs) {
    return new InferenceException(
        ErrorCode.QUEUE_FULL,
        "the queue of model '"
            + plan.name()
            + "' is full, and tenant '"
            + request.tenant()
            + "' has more in it than its share: the request gave way to another tenant's",
        RefusalReason.QUEUE_FULL,
        retryAfterNs);
  }

  /** Returns the same refusal with the time after which to try again. */
  static InferenceException comeAgain(InferenceException refusal, long retryAfterNs) {
    return new InferenceException(
        refusal.code(), String.valueOf(refusal.getMessage()), refusal.reason(), retryAfterNs);
  }
}
