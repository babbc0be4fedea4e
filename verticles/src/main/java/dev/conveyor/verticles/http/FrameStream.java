package dev.conveyor.verticles.http;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.BodyWatch;
import dev.conveyor.verticles.DoorTerms;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.stream.Frame;
import dev.conveyor.verticles.stream.FrameGate;
import dev.conveyor.verticles.stream.FramePump;
import dev.conveyor.verticles.stream.FrameSplitter;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One stream over HTTP: frames in, server-sent events out, at the same time.
 *
 * <p>Not thread-safe: owned by the event loop of its connection. A frame that cannot be read or
 * fails is an event of its own; the stream goes on. Bytes in which no frame can be found any more
 * end it, after what is under way was answered.
 *
 * <p>Nothing is read while the client does not take its events, nor, unless it chose to lose frames
 * instead, while as many frames as may be are under way.
 */
final class FrameStream implements FramePump.Effects<StreamFrame> {

  private final Vertx vertx;
  private final HttpServices services;
  private final StreamSource source;
  private final FrameSplitter splitter;
  private final HttpServerRequest request;
  private final HttpServerResponse response;
  private final Consumer<FrameStream> onEnd;
  private final FramePump<StreamFrame> pump;
  private final BodyWatch watch;
  private BodyWatch.@Nullable Entry patience;
  private boolean reading = true;
  private boolean inputEnded;
  private boolean done;

  /**
   * Creates a stream.
   *
   * @param watch how long a frame that has begun may take to arrive
   * @param onEnd called once, when it is over
   */
  FrameStream(
      Vertx vertx,
      HttpServices services,
      BodyWatch watch,
      StreamSource source,
      FrameSplitter splitter,
      HttpServerRequest request,
      Consumer<FrameStream> onEnd) {
    this.vertx = vertx;
    this.services = services;
    this.watch = watch;
    this.source = source;
    this.splitter = splitter;
    this.request = request;
    this.response = request.response();
    this.onEnd = onEnd;
    this.pump = new FramePump<>(new FrameGate<>(source.terms()), this);
  }

  void start(boolean waitsForContinue) {
    request.handler(this::onBytes);
    request.endHandler(v -> endInput());
    request.exceptionHandler(e -> onGone());
    response.closeHandler(v -> onGone());
    response.exceptionHandler(e -> onGone());
    response.drainHandler(v -> rest());
    if (waitsForContinue) {
      response.writeContinue();
    }
    response.setChunked(true);
    response.putHeader("Content-Type", "text/event-stream; charset=utf-8");
    response.putHeader("Cache-Control", "no-store");
    response.putHeader("X-Content-Type-Options", "nosniff");
    // Proxies would hold events back until a block is full.
    response.putHeader("X-Accel-Buffering", "no");
    response.writeHead();
  }

  /** Takes no more frames; ends when those that came are answered. */
  void endInput() {
    if (!inputEnded) {
      inputEnded = true;
      awaitFrame(false);
      splitter.end(this::onFrame);
      rest();
    }
  }

  /** A camera may rest longer than a connection may be idle. */
  void keepAlive() {
    if (!response.writeQueueFull()) {
      write(StreamEvents.comment());
    }
  }

  private void onBytes(Buffer bytes) {
    if (inputEnded || done) {
      return;
    }
    try {
      splitter.accept(bytes.getBytes(), this::onFrame);
      awaitFrame(splitter.isMidFrame() && reading && !inputEnded && !done);
    } catch (InferenceException unreadable) {
      inputEnded = true;
      awaitFrame(false);
      splitter.close();
      response.write(StreamEvents.fatal(unreadable));
      rest();
    }
  }

  private void onFrame(Frame bytes) {
    awaitFrame(false); // for this one; the next may have begun behind it
    if (done) {
      bytes.close();
      return;
    }
    StreamFrame frame =
        new StreamFrame(
            source,
            bytes,
            (settled, good) -> {
              pump.gate().settle(settled.number(), good);
              pump.run();
            });
    frame.number(pump.gate().offer(frame));
    pump.run();
  }

  @Override
  public void submit(StreamFrame frame) {
    ByteBuffer element = frame.element();
    if (element == null) {
      frame.failAsRead();
      return;
    }
    try {
      ServedModel served = services.catalog().find(source.model().name(), source.version());
      long deadlineNs = source.deadlineNs(frame.arrivedNs());
      services
          .door()
          .enter(
              served,
              new DoorTerms(source.tenant(), frame.sizeBytes(), deadlineNs, source.priority(), 0));
      List<Tensor> inputs = List.of(source.tensor(element));
      InferCall call =
          new InferCall(
              served.name(),
              source.version(),
              inputs,
              source.priority(),
              0,
              deadlineNs,
              source.tenant(),
              source.trace());
      frame.sent(services.gateway().infer(call, frame));
    } catch (RuntimeException e) {
      frame.fail(e);
    }
  }

  @Override
  public void drop(StreamFrame frame) {
    write(frame.drop());
  }

  @Override
  public void deliver(StreamFrame frame) {
    write(frame.delivered());
  }

  @Override
  public void abandon(StreamFrame frame) {
    if (frame.abandon(
        new InferenceException(ErrorCode.CANCELLED, "the client closed the connection"))) {
      services.gateway().onGivenUp(source.model().name());
    }
  }

  @Override
  public void rest() {
    if (done) {
      return;
    }
    if (inputEnded) {
      read(true); // nothing of it is kept: the rest of the request has to pass
      if (pump.gate().isEmpty()) {
        finish();
      }
    } else {
      read(pump.gate().mayRead() && !response.writeQueueFull());
    }
  }

  private void read(boolean wanted) {
    if (wanted != reading) {
      reading = wanted;
      if (wanted) {
        request.resume();
        awaitFrame(splitter.isMidFrame() && !inputEnded);
      } else {
        request.pause();
        awaitFrame(false); // not the client is slow
      }
    }
  }

  /** The time of a frame runs from its first bytes on, for as long as the server reads. */
  private void awaitFrame(boolean wanted) {
    if (wanted && patience == null) {
      patience = watch.begin(this::onStalled);
    } else if (!wanted && patience != null) {
      watch.end(patience);
      patience = null;
    }
  }

  private void onStalled() {
    patience = null;
    if (inputEnded || done) {
      return;
    }
    response.write(
        StreamEvents.fatal(
            new InferenceException(
                ErrorCode.BODY_TIMEOUT,
                "a frame was not complete %d ms after it began".formatted(watch.timeoutMs()))));
    endInput();
  }

  private void write(Buffer event) {
    if (!done && !response.ended() && !response.closed()) {
      response.write(event);
    }
  }

  private void finish() {
    write(StreamEvents.end(pump.gate().counts()));
    done = true;
    if (!response.ended() && !response.closed()) {
      response.end();
    }
    new EarlyAnswer(vertx).hangUpUnlessEnded(request);
    onEnd.accept(this);
  }

  private void onGone() {
    if (!done) {
      done = true;
      inputEnded = true;
      awaitFrame(false);
      splitter.close();
      pump.abandon();
      onEnd.accept(this);
    }
  }
}
