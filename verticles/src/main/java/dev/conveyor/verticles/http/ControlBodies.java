package dev.conveyor.verticles.http;

import dev.conveyor.models.InferenceException;
import io.netty.buffer.Unpooled;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;

/**
 * Reads the bodies of requests that control the server, as those of inferences are read, whatever
 * type they claim to have: clients that name none, such as curl, send JSON as a form.
 *
 * <p>Thread-confined to the event loop of its front end.
 */
final class ControlBodies {

  private static final int NO_HEAD = -1;

  /** Answers a request whose body is there. */
  interface Action {
    Future<?> run(RoutingContext context, Buffer body);
  }

  private final BodyReader.Limits limits;
  private final EarlyAnswer early;

  ControlBodies(BodyReader.Limits limits) {
    this.limits = limits;
    this.early = new EarlyAnswer(limits.vertx());
  }

  /** Has an action run for each request; a failure of its future is answered. */
  void post(Router router, String path, Action action) {
    router.post(path).handler(context -> read(context, action));
  }

  private void read(RoutingContext context, Action action) {
    HttpServerRequest request = context.request();
    RequestTerms terms = RequestTerms.of(request);
    try {
      BodyReader.read(
          request,
          terms,
          limits,
          limits.pool().shareOf(""), // of no model
          NO_HEAD,
          (body, failure) -> {
            if (body == null) {
              early.midway(request, failure);
            } else {
              answer(context, action, body);
            }
          });
    } catch (InferenceException e) {
      early.unread(request, terms, e);
    }
  }

  private static void answer(RoutingContext context, Action action, Body body) {
    Future<?> done;
    try {
      done = action.run(context, Chunks.wrap(Unpooled.wrappedBuffer(body.heap())));
    } catch (RuntimeException e) {
      done = Future.failedFuture(e);
    }
    done.onComplete(
        answered -> body.closeShare(),
        failure -> {
          body.closeShare();
          context.fail(failure);
        });
  }
}
