package dev.conveyor.verticles.grpc;

import dev.conveyor.memory.HeapShare;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.proto.InferParameter;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.proto.ModelStreamInferResponse;
import io.vertx.grpc.common.GrpcMessage;
import io.vertx.grpc.server.GrpcServerRequest;
import io.vertx.grpc.server.GrpcServerResponse;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One {@code ModelStreamInfer} call: many inferences, answered in the order they are ready.
 *
 * <p>Not thread-safe: owned by the event loop of its connection. An inference that fails is
 * answered by an {@code error_message}; the stream goes on. A message that cannot be parsed ends
 * it, for nothing tells which inference that was.
 *
 * <p>Reading stops while {@code maxInFlightPerStream} inferences are under way or the client does
 * not take its answers, so a stream holds a bounded number of requests and answers.
 */
final class InferStream {

  private static final long NO_TIMER = -1;
  private static final InferParameter TRUE = InferParameter.newBuilder().setBoolParam(true).build();

  private final InferRoute route;
  private final GrpcServerRequest<ModelInferRequest, ModelStreamInferResponse> request;
  private final GrpcServerResponse<ModelInferRequest, ModelStreamInferResponse> response;
  private final Set<Item> inFlight = new HashSet<>();

  private long deadlineNs;
  private long timer = NO_TIMER;
  private boolean reading = true;
  private boolean ended;
  private boolean done;

  InferStream(
      InferRoute route, GrpcServerRequest<ModelInferRequest, ModelStreamInferResponse> request) {
    this.route = route;
    this.request = request;
    this.response = request.response();
  }

  void start() {
    try {
      deadlineNs = InferRoute.deadlineNs(request);
    } catch (InferenceException malformed) {
      close(malformed);
      return;
    }
    if (deadlineNs != InferenceRequest.NO_DEADLINE) {
      long delayMillis = InferRoute.delayMillis(deadlineNs);
      timer = route.vertx().setTimer(delayMillis, id -> onDeadline());
    }
    if ("gzip".equals(request.encoding())) {
      response.encoding("gzip");
    }
    request.messageHandler(this::onMessage);
    request.endHandler(end -> onEnd());
    request.errorHandler(error -> onGone());
    request.exceptionHandler(lost -> onGone());
    response.exceptionHandler(lost -> onGone());
    response.drainHandler(drained -> updateReading());
    request.invalidMessageHandler(
        invalid -> close(GrpcErrors.of(invalid, route.options().maxMessageBytes())));
    // Tells the client that its stream is open before it has sent anything.
    response.writeHead();
  }

  private void onMessage(GrpcMessage received) {
    if (done) {
      return;
    }
    ModelInferRequest message;
    try {
      message = route.decode(received);
    } catch (RuntimeException e) {
      close(GrpcErrors.of(e));
      return;
    }
    Item item = new Item(message);
    inFlight.add(item);
    item.submit();
    updateReading();
  }

  private void write(Item item, ModelStreamInferResponse answer) {
    if (inFlight.remove(item) && !done) {
      response.write(answer);
      if (ended && inFlight.isEmpty()) {
        close(null);
      } else {
        updateReading();
      }
    }
  }

  private void updateReading() {
    boolean mayRead =
        inFlight.size() < route.options().maxInFlightPerStream() && !response.writeQueueFull();
    if (mayRead != reading && !done) {
      reading = mayRead;
      if (mayRead) {
        request.resume();
      } else {
        request.pause();
      }
    }
  }

  private void onEnd() {
    ended = true;
    if (inFlight.isEmpty()) {
      close(null);
    }
  }

  private void onDeadline() {
    timer = NO_TIMER;
    InferenceException passed =
        new InferenceException(ErrorCode.DEADLINE_EXCEEDED, "Deadline Exceeded");
    close(passed);
  }

  private void onGone() {
    done = true;
    abandonAll(ErrorCode.CANCELLED, "cancelled by the client");
  }

  private void close(@Nullable InferenceException failure) {
    if (done) {
      return;
    }
    done = true;
    if (failure == null) {
      response.end();
    } else {
      GrpcErrors.end(response, failure);
    }
    abandonAll(ErrorCode.CANCELLED, "the stream ended");
  }

  private void abandonAll(ErrorCode code, String reason) {
    if (timer != NO_TIMER) {
      route.vertx().cancelTimer(timer);
      timer = NO_TIMER;
    }
    List<Item> abandoned = new ArrayList<>(inFlight);
    inFlight.clear();
    for (Item item : abandoned) {
      item.abandon(code, reason);
    }
  }

  /** One inference of the stream. Owned by it. */
  private final class Item implements ReplyTo.Handler {

    private final ModelInferRequest message;
    private List<RequestedOutput> outputs = List.of();
    private @Nullable ReplyTo replyTo;
    private @Nullable HeapShare share;

    Item(ModelInferRequest message) {
      this.message = message;
    }

    void submit() {
      try {
        String tenant = route.enter(request.headers(), message, deadlineNs);
        share = route.hold(message);
        outputs = RequestedOutput.of(message, route.catalog());
        replyTo = route.infer(GrpcInferCodec.decode(message, deadlineNs, tenant), this);
      } catch (RuntimeException e) {
        release();
        fail(GrpcErrors.of(e));
      }
    }

    private void release() {
      if (share != null) {
        share.close();
      }
    }

    void abandon(ErrorCode code, String reason) {
      if (replyTo != null) {
        route.abandon(replyTo, message, code, reason);
      }
    }

    @Override
    public void handle(@Nullable InferenceResponse result, @Nullable InferenceException failure) {
      release();
      if (result == null) {
        fail(failure == null ? GrpcErrors.of(new NullPointerException("outcome")) : failure);
        return;
      }
      try {
        ModelInferResponse.Builder answer =
            GrpcInferCodec.encode(message.getId(), result, outputs)
                .putParameters("triton_final_response", TRUE);
        write(this, ModelStreamInferResponse.newBuilder().setInferResponse(answer).build());
      } catch (RuntimeException e) {
        fail(GrpcErrors.of(e));
      } finally {
        result.close();
      }
    }

    private void fail(InferenceException failure) {
      write(
          this,
          ModelStreamInferResponse.newBuilder()
              .setErrorMessage(String.valueOf(failure.getMessage()))
              .setInferResponse(ModelInferResponse.newBuilder().setId(message.getId()))
              .build());
    }
  }
}
