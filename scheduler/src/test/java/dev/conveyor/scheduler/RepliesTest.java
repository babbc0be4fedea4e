package dev.conveyor.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.vertx.core.Context;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RepliesTest {

  private final InferenceException gone = new InferenceException(ErrorCode.UNAVAILABLE, "gone");

  private final Vertx vertx = Vertx.vertx();
  private final Context context = vertx.getOrCreateContext();

  @AfterEach
  void close() throws Exception {
    vertx.close().await(10, TimeUnit.SECONDS);
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

    assertThat(told.future().await(10, TimeUnit.SECONDS)).isSameAs(gone);
    assertThat(thrown.future().await(10, TimeUnit.SECONDS)).hasMessage("the client hung up");
  }

  @Test
  void shouldTellTheLoserThatItStillOwnsWhatItTriedToHandOver() throws Exception {
    Promise<Throwable> told = Promise.promise();
    ReplyTo replyTo = to(told::complete);
    Replies replies = new Replies();

    assertThat(replyTo.fail(gone)).isTrue();
    assertThat(replies.fail(replyTo, gone)).isFalse();
    replies.flush();

    assertThat(told.future().await(10, TimeUnit.SECONDS)).isSameAs(gone);
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
