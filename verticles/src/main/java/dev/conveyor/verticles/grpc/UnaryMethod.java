package dev.conveyor.verticles.grpc;

import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import dev.conveyor.models.InferenceException;
import io.vertx.core.Future;
import io.vertx.core.Handler;
import io.vertx.grpc.common.GrpcMessage;
import io.vertx.grpc.common.GrpcMessageEncoder;
import io.vertx.grpc.common.ServiceMethod;
import io.vertx.grpc.common.ServiceName;
import io.vertx.grpc.server.GrpcServerRequest;
import io.vertx.grpc.server.ServiceBuilder;
import java.util.function.Function;

/**
 * An RPC with one request and one answer, as a function. Thread-safe.
 *
 * @param <Q> request message
 * @param <R> answer message
 */
final class UnaryMethod<Q, R extends MessageLite> implements Handler<GrpcServerRequest<Q, R>> {

  private final MessageDecoder<Q> decoder;
  private final int maxMessageBytes;
  private final Function<Q, Future<R>> body;

  private UnaryMethod(MessageDecoder<Q> decoder, int maxMessageBytes, Function<Q, Future<R>> body) {
    this.decoder = decoder;
    this.maxMessageBytes = maxMessageBytes;
    this.body = body;
  }

  /** Adds a method to the service; {@code body} may throw, or fail its future. */
  static <Q, R extends MessageLite> void bind(
      ServiceBuilder service,
      ServiceName serviceName,
      String methodName,
      Parser<Q> parser,
      int maxMessageBytes,
      Function<Q, Future<R>> body) {
    MessageDecoder<Q> decoder = new MessageDecoder<>(parser, maxMessageBytes);
    ServiceMethod<Q, R> method =
        ServiceMethod.server(serviceName, methodName, GrpcMessageEncoder.encoder(), decoder);
    service.bind(method, new UnaryMethod<>(decoder, maxMessageBytes, body));
  }

  @Override
  public void handle(GrpcServerRequest<Q, R> request) {
    Call call = new Call(request);
    request.messageHandler(call::onMessage);
    request.endHandler(end -> call.onEnd());
    request.errorHandler(error -> call.done = true);
    request.exceptionHandler(lost -> call.done = true);
    request.response().exceptionHandler(lost -> call.done = true);
    request.invalidMessageHandler(invalid -> call.fail(GrpcErrors.of(invalid, maxMessageBytes)));
  }

  /** One call. Not thread-safe: owned by the event loop of its connection. */
  private final class Call {

    private final GrpcServerRequest<Q, R> request;
    private boolean received;
    private boolean done;

    Call(GrpcServerRequest<Q, R> request) {
      this.request = request;
    }

    void onMessage(GrpcMessage message) {
      if (received || done) {
        return;
      }
      received = true;
      try {
        body.apply(decoder.decode(message))
            .onComplete(this::answer, failure -> fail(GrpcErrors.of(failure)));
      } catch (RuntimeException e) {
        fail(GrpcErrors.of(e));
      }
    }

    void onEnd() {
      if (!received) {
        fail(InferenceException.invalid("the call ended without a request message"));
      }
    }

    void fail(InferenceException failure) {
      if (!done) {
        done = true;
        GrpcErrors.end(request.response(), failure);
      }
    }

    private void answer(R answer) {
      if (!done) {
        done = true;
        request.response().end(answer);
      }
    }
  }
}
