package dev.conveyor.verticles.grpc;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.BodyWatch;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.shm.SharedTensors;
import io.vertx.grpc.common.GrpcMessage;
import io.vertx.grpc.server.GrpcServerRequest;
import io.vertx.grpc.server.GrpcServerResponse;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One {@code ModelInfer} call.
 *
 * <p>Not thread-safe: owned by the event loop of its connection. {@code done} says that the client
 * has its answer or is gone; an outcome that comes later is dropped, its outputs closed. Deadline,
 * cancellation, lost connection and answer meet in the call's {@link ReplyTo}.
 */
final class InferUnary implements ReplyTo.Handler {

  private static final long NO_TIMER = -1;

  private final InferRoute route;
  private final GrpcServerRequest<ModelInferRequest, ModelInferResponse> request;
  private final GrpcServerResponse<ModelInferRequest, ModelInferResponse> response;
  private final TimedRequest arrival;
  private final String trace;
  private final Holdings held = new Holdings();

  private @Nullable ModelInferRequest message;
  private List<RequestedOutput> outputs = List.of();
  private @Nullable ReplyTo replyTo;
  private BodyWatch.@Nullable Entry patience;
  private long timer = NO_TIMER;
  private boolean done;

  InferUnary(InferRoute route, GrpcServerRequest<ModelInferRequest, ModelInferResponse> request) {
    this.route = route;
    this.request = request;
    this.response = request.response();
    this.arrival = route.dispatched();
    this.trace = InferRoute.trace(request);
  }

  void start() {
    patience = route.watch().begin(this::onTooSlow);
    route.count(arrival, this::fail);
    request.messageHandler(this::onMessage);
    request.endHandler(end -> onEnd());
    request.errorHandler(error -> onGone());
    request.exceptionHandler(lost -> onGone());
    response.exceptionHandler(lost -> onGone());
    request.invalidMessageHandler(
        invalid -> fail(GrpcErrors.of(invalid, route.options().maxMessageBytes())));
  }

  @Override
  public void handle(@Nullable InferenceResponse result, @Nullable InferenceException failure) {
    cancelTimer();
    held.release();
    if (result == null) {
      held.closeShared();
      fail(failure == null ? GrpcErrors.of(new NullPointerException("outcome")) : failure);
    } else {
      held.writeShared(route.vertx(), result, this::end, this::fail);
    }
  }

  private void end(InferenceResponse result) {
    try {
      answer(result);
    } catch (RuntimeException e) {
      fail(GrpcErrors.of(e));
    } finally {
      result.close();
    }
  }

  private void onMessage(GrpcMessage received) {
    if (message != null || done) {
      return;
    }
    held.share = arrival.takeMemory();
    endPatience();
    try {
      ModelInferRequest decoded = route.decode(received);
      message = decoded;
      long deadlineNs = InferRoute.deadlineNs(request);
      held.share = route.hold(decoded, held.share); // first: who finds no memory spends no quota
      String tenant = route.enter(request.headers(), decoded, deadlineNs);
      outputs = RequestedOutput.of(decoded, route.catalog());
      SharedTensors tensors = route.shared(decoded, outputs);
      held.shared = tensors;
      InferCall call = GrpcInferCodec.decode(decoded, deadlineNs, tenant, trace, tensors);
      tensors
          .read(route.vertx())
          .onComplete(read -> submit(call), unread -> refuse(call, route.unread(decoded, unread)));
    } catch (RuntimeException e) {
      held.discardShared();
      fail(GrpcErrors.of(e));
    }
  }

  private void submit(InferCall call) {
    if (done) {
      refuse(call, new InferenceException(ErrorCode.CANCELLED, "cancelled by the client"));
      return;
    }
    long deadlineNs = call.deadlineNs();
    replyTo = route.infer(call, this);
    if (deadlineNs != InferenceRequest.NO_DEADLINE && !done) {
      long delayMillis = InferRoute.delayMillis(deadlineNs);
      timer = route.vertx().setTimer(delayMillis, id -> onDeadline());
    }
  }

  /** Fails a call whose inputs did not come about, or came too late. */
  private void refuse(InferCall call, InferenceException why) {
    call.inputs().forEach(Tensor::close);
    held.closeShared();
    fail(why);
  }

  private void answer(InferenceResponse result) {
    ModelInferRequest asked = message;
    if (done || asked == null) {
      return;
    }
    ModelInferResponse answer = GrpcInferCodec.encode(asked.getId(), result, outputs).build();
    done = true;
    if ("gzip".equals(request.encoding())) {
      response.encoding("gzip");
    }
    response.end(answer);
  }

  private void fail(InferenceException failure) {
    endPatience();
    if (replyTo == null) {
      held.release();
    }
    if (!done) {
      done = true;
      GrpcErrors.end(response, failure);
    }
  }

  private void endPatience() {
    arrival.close();
    if (patience != null) {
      route.watch().end(patience);
    }
  }

  private void onTooSlow() {
    fail(
        new InferenceException(
            ErrorCode.BODY_TIMEOUT,
            "the request message did not arrive within " + route.watch().timeoutMs() + " ms"));
  }

  private void onEnd() {
    if (message == null) {
      fail(InferenceException.invalid("the call ended without a request message"));
    }
  }

  private void onDeadline() {
    timer = NO_TIMER;
    abandon(ErrorCode.DEADLINE_EXCEEDED, "Deadline Exceeded");
  }

  private void onGone() {
    done = true;
    endPatience();
    cancelTimer();
    abandon(ErrorCode.CANCELLED, "cancelled by the client");
  }

  private void abandon(ErrorCode code, String reason) {
    ReplyTo pending = replyTo;
    ModelInferRequest asked = message;
    if (pending != null && asked != null) {
      route.abandon(pending, asked, code, reason);
    }
  }

  private void cancelTimer() {
    if (timer != NO_TIMER) {
      route.vertx().cancelTimer(timer);
      timer = NO_TIMER;
    }
  }
}
