package dev.conveyor.scheduler.admission;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.InferenceRequest;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Lets a request in, or says why not and when to come again. Thread-safe: no state.
 *
 * <p>Predictive, after Clockwork (OSDI 2020): a request with a deadline comes in if its batch can
 * start and end before it, by the queue, the batches in flight, the learned costs and the learned
 * error of such predictions. Waiting for what cannot succeed costs the client its time and the
 * device nothing but trouble; saying so at once lets it go elsewhere.
 *
 * <p>An idle model takes any request, however bad its prospects: nobody else would use the time,
 * and a prediction that is too dark would otherwise never be corrected.
 *
 * <p>The front ends apply it to what they know from path and headers before the body is read, the
 * scheduler applies it again to what came. Both see the same {@link ModelLoad}.
 */
public final class AdmissionRule {

  private static final double NS_PER_MS = 1e6;

  /**
   * What comes before the queue.
   *
   * @param itemsAhead of the model, that will be queued before this request
   * @param ns until this request can be queued; 0 if no other waits, so that no prediction keeps
   *     out everything
   */
  public record Preparation(int itemsAhead, long ns) {

    public static final Preparation NONE = new Preparation(0, 0);
  }

  private AdmissionRule() {}

  /**
   * Returns null if the request may come in, otherwise why not.
   *
   * @param items its batch size, or 1 if it is not known yet
   * @param bytes of its inputs, or 0 if they are not known yet
   * @param deadlineNs when the client stops waiting, or {@link InferenceRequest#NO_DEADLINE}; the
   *     model's objective counts from now, unless the client is in more of a hurry
   */
  public static @Nullable InferenceException check(
      String model, ModelLoad load, int items, long bytes, long deadlineNs, long nowNs) {
    return check(model, load, items, bytes, Preparation.NONE, deadlineNs, nowNs);
  }

  /**
   * The same for a request that cannot be queued yet, because its images have to be decoded: what
   * is decoded before it is queued before it. Here a prediction counts even where the queue would
   * sort out what cannot be in time, for decoding takes the cores that batches run on.
   */
  public static @Nullable InferenceException check(
      String model,
      ModelLoad load,
      int items,
      long bytes,
      Preparation preparation,
      long deadlineNs,
      long nowNs) {
    if (load.full()) {
      return refusal(
          ErrorCode.QUEUE_FULL,
          RefusalReason.QUEUE_FULL,
          "Request for model '%s' exceeds maximum queue size: %d requests wait before it"
              .formatted(model, load.queuedRequests()),
          untilNextBatchNs(load, nowNs));
    }
    // An empty queue takes a request of any size: no bound on bytes may make one impossible.
    if (load.maxQueueBytes() > 0
        && load.queuedRequests() > 0
        && bytes > load.maxQueueBytes() - load.queuedBytes()) {
      return refusal(
          ErrorCode.QUEUE_FULL,
          RefusalReason.QUEUE_BYTES,
          String.format(
              Locale.ROOT,
              "model '%s': %d bytes of input wait, %d more would exceed its limit of %d",
              model,
              load.queuedBytes(),
              bytes,
              load.maxQueueBytes()),
          untilNextBatchNs(load, nowNs));
    }
    if (!load.isKnown() || ((load.isIdle() || load.servable()) && preparation.ns() == 0)) {
      return null;
    }
    boolean hasDeadline = deadlineNs != InferenceRequest.NO_DEADLINE;
    if (!hasDeadline && load.objectiveNs() == 0) {
      return checkWait(model, load, items, nowNs);
    }
    long leftNs = hasDeadline ? deadlineNs - nowNs : load.objectiveNs();
    return checkDeadline(
        model,
        load,
        items,
        preparation,
        load.objectiveNs() == 0 ? leftNs : Math.min(leftNs, load.objectiveNs()),
        nowNs);
  }

  private static @Nullable InferenceException checkWait(
      String model, ModelLoad load, int items, long nowNs) {
    long waitNs = load.targetNs() == 0 ? 0 : load.waitNs(items, nowNs);
    if (waitNs <= load.targetNs()) {
      return null;
    }
    return refusal(
        ErrorCode.OVERLOADED,
        RefusalReason.OVERLOADED,
        String.format(
            Locale.ROOT,
            "model '%s' is overloaded: the request would wait %.1f ms, at most %.1f ms make sense",
            model,
            waitNs / NS_PER_MS,
            load.targetNs() / NS_PER_MS),
        waitNs - load.targetNs());
  }

  private static @Nullable InferenceException checkDeadline(
      String model, ModelLoad now, int items, Preparation preparation, long leftNs, long nowNs) {
    ModelLoad load = now.behind(preparation.itemsAhead());
    long marginNs = load.marginNs();
    long queueNs = load.waitNs(items, nowNs);
    long runNs = load.latencyNs(items, nowNs) - queueNs;
    // While images are decoded the queue gets shorter, so the longer of the two counts.
    long waitNs = Math.max(queueNs, preparation.ns());
    long neededNs = waitNs + runNs + marginNs;
    if (neededNs <= leftNs) {
      return null;
    }
    return refusal(
        ErrorCode.OVERLOADED,
        RefusalReason.DEADLINE,
        String.format(
            Locale.ROOT,
            "model '%s' would answer after %.1f ms, %.1f ms too late: %.1f ms %s, %.1f ms to run,"
                + " %.1f ms to be safe",
            model,
            neededNs / NS_PER_MS,
            (neededNs - leftNs) / NS_PER_MS,
            waitNs / NS_PER_MS,
            preparation.ns() > queueNs ? "until its images are decoded" : "in the queue",
            runNs / NS_PER_MS,
            marginNs / NS_PER_MS),
        Math.min(neededNs - leftNs, waitNs));
  }

  private static long untilNextBatchNs(ModelLoad load, long nowNs) {
    return load.freeAtNs() - nowNs;
  }

  private static InferenceException refusal(
      ErrorCode code, RefusalReason reason, String message, long retryAfterNs) {
    return new InferenceException(code, message, reason, Math.max(1, retryAfterNs));
  }
}
