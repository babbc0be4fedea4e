package dev.conveyor.verticles.grpc;

import dev.conveyor.memory.HeapShare;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelStreamInferResponse;
import dev.conveyor.verticles.stream.FrameGate;
import dev.conveyor.verticles.stream.FramePump;
import io.vertx.grpc.common.GrpcMessage;
import io.vertx.grpc.server.GrpcServerRequest;
import io.vertx.grpc.server.GrpcServerResponse;
import org.jspecify.annotations.Nullable;

/**
 * One {@code ModelStreamInfer} call: many inferences, answered in the order of their requests, as
 * Triton does, or as they are ready where the client asks for that.
 *
 * <p>Not thread-safe: owned by the event loop of its connection. An inference that fails is
 * answered by an {@code error_message}; the stream goes on. A message that cannot be parsed ends
 * it, for nothing tells which inference that was.
 *
 * <p>Reading stops while the client does not take its answers, and, unless it chose to lose frames
 * instead, while {@code maxInFlightPerStream} inferences are under way; so a stream holds a bounded
 * number of requests and answers.
 */
final class InferStream implements FramePump.Effects<StreamItem> {

  private static final long NO_TIMER = -1;

  private final InferRoute route;
  private final GrpcServerRequest<ModelInferRequest, ModelStreamInferResponse> request;
  private final GrpcServerResponse<ModelInferRequest, ModelStreamInferResponse> response;
  private final TimedRequest arrival;
  private final String trace;

  private @Nullable StreamSettings settings;
  private @Nullable FramePump<StreamItem> pump;
  private String endedBecause = "the stream ended";
  private long deadlineNs;
  private long timer = NO_TIMER;
  private boolean reading = true;
  private boolean ended;
  private @Nullable InferenceException endFailure;
  private boolean done;

  InferStream(
      InferRoute route, GrpcServerRequest<ModelInferRequest, ModelStreamInferResponse> request) {
    this.route = route;
    this.request = request;
    this.response = request.response();
    this.arrival = route.dispatched();
    this.trace = InferRoute.trace(request);
  }

  void start() {
    route.opened(this);
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
    response.drainHandler(drained -> rest());
    arrival.whenStalled(this::onStalled);
    route.count(arrival, this::takeNoMore);
    request.invalidMessageHandler(
        invalid -> close(GrpcErrors.of(invalid, route.options().maxMessageBytes())));
    // Tells the client that its stream is open before it has sent anything.
    response.writeHead();
  }

  /** The server stops: takes no more messages; ends when those that came are answered. */
  void stop() {
    takeNoMore(InferenceException.shuttingDown());
  }

  /** A camera that stops in the middle of a message: what came before is still answered. */
  private void onStalled() {
    takeNoMore(
        new InferenceException(
            ErrorCode.BODY_TIMEOUT,
            "a message was not complete %d ms after it began"
                .formatted(route.watch().timeoutMs())));
  }

  private void takeNoMore(InferenceException why) {
    if (!done && !ended) {
      endFailure = why;
      ended = true;
      arrival.close();
      rest();
    }
  }

  private void onMessage(GrpcMessage received) {
    if (done || endFailure != null) {
      return;
    }
    HeapShare arrived = arrival.takeMemory();
    try {
      ModelInferRequest message = route.decode(received);
      FramePump<StreamItem> frames = pumpFor(message);
      StreamItem item =
          new StreamItem(
              route,
              message,
              arrived,
              (settled, good) -> {
                frames.gate().settle(settled.number(), good);
                frames.run();
              });
      checkSettings(item, message);
      item.number(frames.gate().offer(item));
      frames.run();
    } catch (RuntimeException e) {
      if (arrived != null) {
        arrived.close();
      }
      close(GrpcErrors.of(e));
    }
  }

  private FramePump<StreamItem> pumpFor(ModelInferRequest message) {
    if (pump == null) {
      settings =
          new StreamSettings(request.headers(), message, route.options().maxInFlightPerStream());
      pump = new FramePump<>(new FrameGate<>(settings.terms()), this);
    }
    return pump;
  }

  private void checkSettings(StreamItem item, ModelInferRequest message) {
    try {
      if (settings != null) {
        settings.check(message);
      }
    } catch (InferenceException changed) {
      item.refuse(changed);
    }
  }

  @Override
  public void submit(StreamItem item) {
    item.submit(request.headers(), deadlineNs, trace);
  }

  @Override
  public void drop(StreamItem item) {
    ModelStreamInferResponse notice = item.drop();
    if (!done) {
      response.write(notice);
    }
  }

  @Override
  public void deliver(StreamItem item) {
    if (!done) {
      response.write(item.answer());
    }
    item.delivered();
  }

  @Override
  public void abandon(StreamItem item) {
    item.abandon(endedBecause);
  }

  @Override
  public void rest() {
    if (done) {
      return;
    }
    if (ended && isEmpty()) {
      close(endFailure);
      return;
    }
    boolean mayRead = (pump == null || pump.gate().mayRead()) && !response.writeQueueFull();
    if (mayRead != reading) {
      reading = mayRead;
      if (mayRead) {
        request.resume();
      } else {
        request.pause();
      }
    }
  }

  private boolean isEmpty() {
    return pump == null || pump.gate().isEmpty();
  }

  private void onEnd() {
    ended = true;
    rest();
  }

  private void onDeadline() {
    timer = NO_TIMER;
    close(new InferenceException(ErrorCode.DEADLINE_EXCEEDED, "Deadline Exceeded"));
  }

  private void onGone() {
    if (!done) {
      done = true;
      endedBecause = "cancelled by the client";
      abandonAll();
    }
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
    abandonAll();
  }

  private void abandonAll() {
    route.closed(this);
    arrival.close();
    if (timer != NO_TIMER) {
      route.vertx().cancelTimer(timer);
      timer = NO_TIMER;
    }
    if (pump != null) {
      pump.abandon();
    }
  }
}
