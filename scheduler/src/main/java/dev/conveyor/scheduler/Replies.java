package dev.conveyor.scheduler;

import dev.conveyor.models.InferenceException;
import io.vertx.core.Context;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Answers many requests and wakes each context once, because a wake-up costs more than an answer.
 * Where there may be a thousand, {@link #flushInPortions} lets other connections have the event
 * loop between them.
 *
 * <p>Not thread-safe: owned by the instance that answers one batch, or by the scheduler.
 */
public final class Replies {

  /** Takes an event loop about a millisecond, which other connections wait for. */
  private static final int PORTION = 32;

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
    flush(Replies::deliver);
  }

  /**
   * As {@link #flush()}, for any number of answers: what arrives meanwhile is read, and what others
   * wait for is written, after each few. Only while the contexts live on: one that is undeployed
   * delivers no more portions.
   */
  public void flushInPortions() {
    flush(Replies::deliverPortion);
  }

  private void flush(Consumer<List<ReplyTo>> delivery) {
    for (int i = 0; i < contexts.size(); i++) {
      List<ReplyTo> replies = won.get(i);
      contexts.get(i).runOnContext(v -> delivery.accept(replies));
    }
    contexts.clear();
    won.clear();
  }

  private static void deliverPortion(List<ReplyTo> replies) {
    int end = Math.min(PORTION, replies.size());
    deliver(replies.subList(0, end));
    if (end < replies.size()) {
      // A task would run before the loop looks at its connections again, a timer does not.
      replies
          .get(end)
          .context()
          .owner()
          .timer(1, TimeUnit.MICROSECONDS)
          .onSuccess(v -> deliverPortion(replies.subList(end, replies.size())));
    }
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
