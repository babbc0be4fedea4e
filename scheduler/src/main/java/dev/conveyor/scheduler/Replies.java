package dev.conveyor.scheduler;

import dev.conveyor.models.InferenceException;
import io.vertx.core.Context;
import java.util.ArrayList;
import java.util.List;

/**
 * Answers many requests and wakes each context once, because a wake-up costs more than an answer.
 *
 * <p>Not thread-safe: owned by the instance that answers one batch, or by the scheduler.
 */
public final class Replies {

  private final List<Context> contexts = new ArrayList<>(2);
  private final List<List<ReplyTo>> won = new ArrayList<>(2);

  /** Returns false if the request was already answered; the caller then still owns the response. */
  public boolean succeed(ReplyTo replyTo, InferenceResponse response) {
    return replyTo.claim(response) && add(replyTo);
  }

  /** Returns false if the request was already answered. */
  public boolean fail(ReplyTo replyTo, InferenceException failure) {
    return replyTo.claim(failure) && add(replyTo);
  }

  /** Delivers what was won since the last flush. */
  public void flush() {
    for (int i = 0; i < contexts.size(); i++) {
      List<ReplyTo> replies = won.get(i);
      contexts.get(i).runOnContext(v -> deliver(replies));
    }
    contexts.clear();
    won.clear();
  }

  /** Delivers what was won since the last flush, once the turn has come. */
  public void flush(AnswerTurn turn) {
    if (turn == AnswerTurn.ANY_TIME) {
      flush();
    } else if (!contexts.isEmpty()) {
      Replies taken = new Replies();
      taken.contexts.addAll(contexts);
      taken.won.addAll(won);
      contexts.clear();
      won.clear();
      turn.deliver(taken::flush);
    }
  }

  /** What one handler throws is its own request's affair: the others are answered all the same. */
  private static void deliver(List<ReplyTo> replies) {
    for (int i = 0; i < replies.size(); i++) {
      ReplyTo replyTo = replies.get(i);
      try {
        replyTo.deliver();
      } catch (RuntimeException | Error e) {
        replyTo
            .context()
            .runOnContext(
                v -> {
                  throw e; // for the context's exception handler, or the log
                });
      }
    }
  }

  private boolean add(ReplyTo replyTo) {
    Context context = replyTo.context();
    int i = 0;
    while (i < contexts.size() && contexts.get(i) != context) {
      i++;
    }
    if (i == contexts.size()) {
      contexts.add(context);
      won.add(new ArrayList<>());
    }
    return won.get(i).add(replyTo);
  }
}
