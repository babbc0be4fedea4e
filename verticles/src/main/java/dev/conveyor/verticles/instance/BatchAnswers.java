package dev.conveyor.verticles.instance;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.AnswerTurn;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.Replies;
import dev.conveyor.verticles.ServedModel;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;

/**
 * Answers the requests of batches and counts those that succeeded; the gateway counts the others.
 *
 * <p>Not thread-safe: owned by one instance. When a batch runs in parts, answers leave with the
 * part that made them; those of a model that preserves ordering wait for the whole batch and its
 * {@link AnswerTurn}, and leave in the order of the requests. They are counted as they leave.
 */
final class BatchAnswers {

  private final ServedModel served;
  private final boolean ordered;
  private final Replies replies = new Replies();
  private final IdentityHashMap<InferenceRequest, Runnable> held = new IdentityHashMap<>();
  private boolean inParts;
  private AnswerTurn turn = AnswerTurn.ANY_TIME;

  /** What was answered of a batch that waits for its turn, to be counted when that comes. */
  private List<Answered> uncounted = new ArrayList<>();

  private record Answered(int items, long preprocessNs, long queueNs, long arrivalNs) {}

  BatchAnswers(ServedModel served) {
    this.served = served;
    this.ordered =
        served.config().dynamicBatching().isPresent()
            && served.config().dynamicBatching().get().preserveOrdering();
  }

  /** A batch begins. */
  void begin(AnswerTurn itsTurn) {
    turn = itsTurn;
  }

  /** The batch runs in parts from now on. */
  void runInParts() {
    inParts = true;
  }

  void succeed(InferenceRequest request, List<Tensor> outputs, long startNs, long endNs) {
    if (inParts && ordered) {
      held.put(request, () -> sendOutputs(request, outputs, startNs, endNs));
    } else {
      sendOutputs(request, outputs, startNs, endNs);
    }
  }

  void fail(InferenceRequest request, InferenceException failure) {
    if (inParts && ordered) {
      held.put(request, () -> sendFailure(request, failure));
    } else {
      sendFailure(request, failure);
    }
  }

  /** Fails a request whose deadline has passed, whoever's turn it is. */
  void expire(InferenceRequest request) {
    InferenceException expired =
        new InferenceException(ErrorCode.DEADLINE_EXCEEDED, "Request timeout expired");
    boolean unused =
        ordered ? request.replyTo().fail(expired) : replies.fail(request.replyTo(), expired);
  }

  /** A part is over. */
  void endPart() {
    leave();
  }

  /** The batch is over: whatever was held back leaves. */
  void end(List<InferenceRequest> requests) {
    inParts = false;
    try {
      if (!held.isEmpty()) {
        for (InferenceRequest request : requests) {
          Runnable answer = held.remove(request);
          if (answer != null) {
            answer.run();
          }
        }
      }
    } finally {
      leave();
    }
  }

  private void leave() {
    if (!uncounted.isEmpty()) {
      List<Answered> leaving = uncounted;
      uncounted = new ArrayList<>();
      turn.deliver(() -> leaving.forEach(answered -> count(answered, System.nanoTime())));
    }
    replies.flush(turn);
  }

  private void count(Answered answered, long nowNs) {
    served.countAnswer(
        answered.items(),
        answered.preprocessNs(),
        answered.queueNs(),
        nowNs - answered.arrivalNs());
  }

  private void sendOutputs(
      InferenceRequest request, List<Tensor> outputs, long startNs, long endNs) {
    List<Tensor> given;
    try {
      given = request.answer(outputs);
    } catch (RuntimeException e) {
      // The others of the batch are right.
      sendFailure(request, new InferenceException(ErrorCode.EXECUTION_FAILED, String.valueOf(e)));
      return;
    }
    InferenceResponse response = new InferenceResponse(served.name(), served.version(), given);
    if (replies.succeed(request.replyTo(), response)) {
      Answered answered =
          new Answered(
              request.batchSize(),
              request.preprocessNs(),
              startNs - request.arrivalNs() - request.preprocessNs(),
              request.arrivalNs());
      if (turn == AnswerTurn.ANY_TIME) {
        count(answered, endNs);
      } else {
        uncounted.add(answered);
      }
    } else {
      response.close();
    }
  }

  private void sendFailure(InferenceRequest request, InferenceException failure) {
    boolean unused = replies.fail(request.replyTo(), failure);
  }
}
