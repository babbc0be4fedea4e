package dev.conveyor.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.vertx.core.Context;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RepliesTest {

  private final InferenceException gone = new InferenceException(ErrorCode.UNAVAILABLE, "gone");

  private final Vertx vertx = Vertx.vertx();
  private final Context context = vertx.getOrCreateContext();

  @AfterEach
  void close() throws Exception {
    vertx.close().await(60, TimeUnit.SECONDS);
  }

  @Test
  void shouldAnswerTheOthersWhenTheHandlerOfOneThrows() throws Exception {
    Promise<Throwable> thrown = Promise.promise();
    context.exceptionHandler(thrown::tryComplete);
    Promise<Throwable> told = Promise.promise();
    Replies replies = new Replies();

    assertThat(replies.fail(to(throwing(new IllegalStateException("the client hung up"))), gone))
        .isTrue();
    assertThat(replies.fail(to(throwing(new IllegalStateException("so did this"))), gone)).isTrue();
    assertThat(replies.fail(to(told::complete), gone)).isTrue();
    replies.flush();

    assertThat(told.future().await(60, TimeUnit.SECONDS)).isSameAs(gone);
    assertThat(thrown.future().await(60, TimeUnit.SECONDS)).hasMessage("the client hung up");
  }

  @Test
  void shouldTellTheLoserThatItStillOwnsWhatItTriedToHandOver() throws Exception {
    Promise<Throwable> told = Promise.promise();
    ReplyTo replyTo = to(told::complete);
    Replies replies = new Replies();

    assertThat(replyTo.fail(gone)).isTrue();
    assertThat(replies.fail(replyTo, gone)).isFalse();
    replies.flush();

    assertThat(told.future().await(60, TimeUnit.SECONDS)).isSameAs(gone);
  }

  @Test
  void shouldLetOthersHaveTheLoopBetweenPortions() throws Exception {
    AtomicInteger answered = new AtomicInteger();
    Promise<Integer> between = Promise.promise();
    Promise<Integer> all = Promise.promise();
    Replies replies = new Replies();

    for (int i = 0; i < 1000; i++) {
      ReplyTo replyTo =
          to(
              failure -> {
                if (answered.incrementAndGet() == 1) {
                  // As what a connection brings, it is looked at after the tasks of this turn.
                  var unused =
                      vertx
                          .timer(1, TimeUnit.MICROSECONDS)
                          .onSuccess(v -> between.complete(answered.get()));
                } else if (answered.get() == 1000) {
                  all.complete(answered.get());
                }
              });
      assertThat(replies.fail(replyTo, gone)).isTrue();
    }
    replies.flushInPortions();

    assertThat(between.future().await(60, TimeUnit.SECONDS)).isLessThan(1000);
    assertThat(all.future().await(60, TimeUnit.SECONDS)).isEqualTo(1000);
  }

  private ReplyTo to(Consumer<Throwable> handler) {
    return new ReplyTo(context, (response, failure) -> handler.accept(failure));
  }

  private static Consumer<Throwable> throwing(RuntimeException e) {
    return failure -> {
      throw e;
    };
  }
}
