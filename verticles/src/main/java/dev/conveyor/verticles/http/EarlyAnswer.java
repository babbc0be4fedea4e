package dev.conveyor.verticles.http;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpVersion;
import org.jspecify.annotations.Nullable;

/**
 * Answers requests whose body has not come to its end, and leaves their connections in a state that
 * both sides agree on.
 *
 * <p>Thread-confined to the event loop of its front end; holds no state.
 */
final class EarlyAnswer {

  private static final long LINGER_MS = 1000;

  /** A body up to here is cheaper to let pass than a new connection. */
  private static final long LET_PASS_BYTES = 1 << 20;

  private final Vertx vertx;

  EarlyAnswer(Vertx vertx) {
    this.vertx = vertx;
  }

  /**
   * Refuses a request of whose body nothing was read. The answer goes out at once. A client that
   * waits for the word to go on never sends the body; whether it counts on that for its next
   * request nobody knows, so the connection is closed. Of others, a moderate body is let pass, so
   * that the connection can be used again; a client that cannot be bothered to send it, or sends
   * more, is hung up on.
   */
  void unread(HttpServerRequest request, RequestTerms terms, InferenceException failure) {
    RefusedLane.refused(request.connection());
    boolean passes =
        !terms.waitsForContinue() && terms.bytes() >= 0 && terms.bytes() <= LET_PASS_BYTES;
    if (!passes) {
      midway(request, failure);
      return;
    }
    if (!BodyTap.open(request.connection(), part -> {})) {
      request.handler(chunk -> {});
    }
    JsonReply.fail(request.response(), failure);
    hangUpUnlessEnded(request);
  }

  /**
   * Answers before the body has come to its end, and hangs up a little later: at once, the reset
   * would overtake the answer; never, and the client could go on sending. A client that has left is
   * told nothing: hundreds that leave together would keep the event loop with answers that nobody
   * gets.
   */
  void midway(HttpServerRequest request, @Nullable InferenceException failure) {
    if (failure != null && failure.code() == ErrorCode.CANCELLED) {
      return;
    }
    if (!request.isEnded() && request.version() != HttpVersion.HTTP_2) {
      request.response().putHeader(HttpHeaders.CONNECTION, "close");
    }
    JsonReply.fail(request.response(), failure);
    hangUpUnlessEnded(request);
  }

  /** Gives the client a moment to end a request that was answered, then hangs up. */
  void hangUpUnlessEnded(HttpServerRequest request) {
    if (!request.isEnded()) {
      long timer = vertx.setTimer(LINGER_MS, id -> hangUp(request));
      request.endHandler(v -> vertx.cancelTimer(timer));
    }
  }

  private static void hangUp(HttpServerRequest request) {
    if (request.isEnded()) {
      return;
    }
    if (request.version() == HttpVersion.HTTP_2) {
      request.response().reset(); // the other streams of the connection go on
    } else {
      request.connection().close();
    }
  }
}
