package dev.conveyor.scheduler;

import dev.conveyor.models.InferenceException;
import io.vertx.core.Context;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * The one-shot return path of a request.
 *
 * <p>Thread-safe. Exactly one of {@link #succeed} and {@link #fail} wins; the loser is told so and
 * keeps ownership of whatever it tried to hand over. The handler runs on the context the request
 * came from. Whoever answers many requests at once uses {@link Replies}, which wakes each context
 * once.
 */
public final class ReplyTo {

  private static final VarHandle RESULT;

  static {
    try {
      RESULT = MethodHandles.lookup().findVarHandle(ReplyTo.class, "result", Object.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /** Told the outcome, once, on the context of the request; one of the arguments is null. */
  @FunctionalInterface
  public interface Handler {
    void handle(@Nullable InferenceResponse response, @Nullable InferenceException failure);
  }

  private final Context context;
  private final Handler handler;

  private volatile @Nullable Runnable afterwards;

  @SuppressWarnings("unused") // through RESULT
  private volatile @Nullable Object result;

  public ReplyTo(Context context, Handler handler) {
    this.context = context;
    this.handler = handler;
  }

  /**
   * Returns a path that nobody listens to and that is never answered: for simulations, whose
   * requests may share it.
   */
  @SuppressWarnings("NullAway") // no context: nothing is ever delivered
  public static ReplyTo unheard() {
    return new ReplyTo(null, (response, failure) -> {});
  }

  /** Returns false if the request was already answered; the caller then still owns the response. */
  public boolean succeed(InferenceResponse response) {
    return claim(response) && deliverSoon();
  }

  /**
   * As {@link #succeed}, for a caller that runs on {@link #context}: the handler is told before
   * this returns, which saves a turn of the event loop.
   *
   * @param first runs before the handler, if this call wins
   */
  public boolean succeedHere(InferenceResponse response, Runnable first) {
    if (!claim(response)) {
      return false;
    }
    first.run();
    deliver();
    return true;
  }

  /** Returns false if the request was already answered. */
  public boolean fail(InferenceException failure) {
    return claim(failure) && deliverSoon();
  }

  /**
   * Has something run after the handler was told, on {@link #context}; soon, if it was told before.
   * Takes the place of what was to run so far.
   */
  public void afterwards(Runnable task) {
    afterwards = task;
    if (isDone()) {
      context.runOnContext(v -> runAfterwards());
    }
  }

  private void runAfterwards() {
    Runnable task = afterwards;
    if (task != null) {
      afterwards = null;
      task.run();
    }
  }

  public boolean isDone() {
    return result != null;
  }

  public Context context() {
    return context;
  }

  /** Decides the outcome without telling the handler; the winner must {@link #deliver}. */
  boolean claim(Object outcome) {
    return RESULT.compareAndSet(this, null, outcome);
  }

  /** Tells the handler. Runs on {@link #context}, after a won {@link #claim}. */
  void deliver() {
    if (result instanceof InferenceResponse response) {
      handler.handle(response, null);
    } else {
      handler.handle(null, (InferenceException) result);
    }
    runAfterwards();
  }

  private boolean deliverSoon() {
    context.runOnContext(v -> deliver());
    return true;
  }
}
