package dev.conveyor.verticles.http;

import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.ModelStats.FrameEvent;
import dev.conveyor.verticles.oip.InferResponseWriter;
import dev.conveyor.verticles.stream.Frame;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * One frame of a stream, from its last byte to its event.
 *
 * <p>Not thread-safe: owned by the event loop of the stream. It holds memory for its bytes until
 * its inference has ended; the answer is text before it waits for its turn, so it holds no outputs.
 */
final class StreamFrame implements ReplyTo.Handler {

  /** Told that the answer, or the failure, is there. */
  interface Settled {
    void accept(StreamFrame frame, boolean good);
  }

  private final StreamSource source;
  private final Frame frame;
  private final Settled settled;
  private final long arrivedNs = System.nanoTime();
  private @Nullable ReplyTo replyTo;
  private Buffer event = Buffer.buffer();
  private boolean good;
  private boolean abandoned;
  private long number;

  StreamFrame(StreamSource source, Frame frame, Settled settled) {
    this.source = source;
    this.frame = frame;
    this.settled = settled;
    count(FrameEvent.RECEIVED);
  }

  long number() {
    return number;
  }

  void number(long assigned) {
    number = assigned;
  }

  /** Returns when its last byte had come. */
  long arrivedNs() {
    return arrivedNs;
  }

  /** Returns the bytes as an element of a tensor; null if they were refused. */
  @Nullable ByteBuffer element() {
    return frame.element();
  }

  int sizeBytes() {
    return frame.sizeBytes();
  }

  /** Fails as the bytes did when they were read. */
  void failAsRead() {
    InferenceException refusal = frame.refusal();
    source.model().countRefusal(refusal);
    fail(refusal == null ? InferenceException.invalid("the frame cannot be read") : refusal);
  }

  void sent(ReplyTo pending) {
    replyTo = pending;
  }

  @Override
  public void handle(@Nullable InferenceResponse answer, @Nullable InferenceException failure) {
    frame.close();
    if (abandoned) {
      if (answer != null) {
        answer.close();
      }
      return;
    }
    if (answer == null) {
      fail(failure == null ? new NullPointerException("outcome") : failure);
      return;
    }
    try {
      ByteBuffer json =
          InferResponseWriter.encode(source.model(), source.answerHead(number), answer).head();
      event = StreamEvents.result(number, json);
      good = true;
    } catch (RuntimeException e) {
      fail(e);
      return;
    } finally {
      answer.close();
    }
    settled.accept(this, true);
  }

  void fail(Throwable why) {
    frame.close();
    event = StreamEvents.error(number, why);
    settled.accept(this, false);
  }

  /** Returns what to send. */
  Buffer delivered() {
    count(good ? FrameEvent.ANSWERED : FrameEvent.FAILED);
    return event;
  }

  /** Gives up a frame that was never sent to the model; returns what to tell the client. */
  Buffer drop() {
    count(FrameEvent.DROPPED);
    frame.close();
    return StreamEvents.of(
        "dropped", number, new JsonObject().put("policy", source.terms().policy().label()));
  }

  /** Calls the frame off; returns true if it was still under way. */
  boolean abandon(InferenceException why) {
    abandoned = true;
    count(FrameEvent.ABANDONED);
    if (replyTo == null) {
      frame.close();
      return false;
    }
    return replyTo.fail(why);
  }

  private void count(FrameEvent what) {
    ServedModel model = source.model();
    model.stats().onFrame(what);
  }
}
