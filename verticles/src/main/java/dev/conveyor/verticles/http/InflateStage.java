package dev.conveyor.verticles.http;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.netty.buffer.ByteBuf;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.codec.compression.JdkZlibDecoder;
import io.netty.handler.codec.compression.ZlibWrapper;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Inflates a body as it comes, a bounded amount per turn of the event loop.
 *
 * <p>Thread-confined: one event loop. A kilobyte of zeros that are well packed is a megabyte, so
 * what came is taken in pieces of a kilobyte, and after a megabyte of output the others get their
 * turn. Meanwhile nothing more is read from the connection.
 */
final class InflateStage implements BodyTap.Sink {

  /** What the stage needs of its surroundings. */
  interface Flow {

    void pause();

    void resume();

    /** Runs the task in a later turn of the same event loop. */
    void later(Runnable task);
  }

  private static final int PIECE_BYTES = 1024;
  private static final int TURN_BYTES = 1 << 20;

  private final String encoding;
  private final int maxBytes;
  private final BodyTap.Sink plain;
  private final Runnable ended;
  private final Consumer<InferenceException> failed;
  private final Flow flow;
  private final JdkZlibDecoder decoder;
  private final EmbeddedChannel channel;
  private final Deque<ByteBuf> pending = new ArrayDeque<>();
  private long compressedBytes;
  private boolean waiting;
  private boolean inputEnded;
  private boolean done;

  /**
   * Creates a stage.
   *
   * @param maxBytes largest compressed body; {@code plain} minds its own limit
   * @param plain takes what comes out
   * @param ended called once when everything has come out
   * @param failed called once if it cannot
   * @throws InferenceException UNSUPPORTED if the encoding is unknown
   */
  InflateStage(
      String encoding,
      int maxBytes,
      BodyTap.Sink plain,
      Runnable ended,
      Consumer<InferenceException> failed,
      Flow flow) {
    this.encoding = encoding;
    this.maxBytes = maxBytes;
    this.plain = plain;
    this.ended = ended;
    this.failed = failed;
    this.flow = flow;
    this.decoder = new JdkZlibDecoder(wrapper(encoding), 0);
    this.channel = new EmbeddedChannel(decoder);
  }

  @Override
  public void accept(ByteBuf part) {
    if (done) {
      return;
    }
    compressedBytes += part.readableBytes();
    if (compressedBytes > maxBytes) {
      fail(
          new InferenceException(
              ErrorCode.TOO_LARGE,
              "the request body has at least %d bytes, the limit is %d"
                  .formatted(compressedBytes, maxBytes)));
      return;
    }
    pending.add(part.retainedSlice());
    if (!waiting) {
      pump();
    }
  }

  /** Tells that nothing more comes in. */
  void end() {
    inputEnded = true;
    if (!waiting && !done) {
      finish();
    }
  }

  /** Gives back what it holds. Harmless when done. */
  void close() {
    if (!done) {
      done = true;
      pending.forEach(ByteBuf::release);
      pending.clear();
      try {
        channel.finishAndReleaseAll();
      } catch (DecoderException e) {
        // What is left is damaged, and nobody wants it any more.
      }
    }
  }

  private void pump() {
    int produced = 0;
    while (!done && !pending.isEmpty() && produced < TURN_BYTES) {
      ByteBuf part = pending.element();
      ByteBuf piece = part.readRetainedSlice(Math.min(PIECE_BYTES, part.readableBytes()));
      if (!part.isReadable()) {
        pending.remove().release();
      }
      produced += inflate(piece);
    }
    if (done) {
      return;
    }
    if (!pending.isEmpty()) {
      pauseForOthers();
    } else if (inputEnded) {
      finish();
    }
  }

  private void pauseForOthers() {
    if (!waiting) {
      waiting = true;
      flow.pause();
    }
    flow.later(
        () -> {
          boolean pumped = false;
          try {
            if (!done) {
              pump();
            }
            pumped = true;
          } finally {
            if (waiting && (!pumped || done || pending.isEmpty())) {
              waiting = false;
              flow.resume();
            }
          }
        });
  }

  private int inflate(ByteBuf piece) {
    int produced = 0;
    try {
      channel.writeInbound(piece);
      for (ByteBuf out = read(); out != null; out = read()) {
        produced += out.readableBytes();
        try {
          plain.accept(out);
        } finally {
          out.release();
        }
      }
    } catch (DecoderException e) {
      fail(invalid(String.valueOf(e.getMessage())));
    }
    return produced;
  }

  private @Nullable ByteBuf read() {
    return channel.readInbound();
  }

  private void finish() {
    if (!decoder.isClosed()) {
      fail(invalid("it ends too early"));
      return;
    }
    close();
    ended.run();
  }

  private void fail(InferenceException failure) {
    close();
    failed.accept(failure);
  }

  private InferenceException invalid(String why) {
    return InferenceException.invalid("the request body is not valid " + encoding + ": " + why);
  }

  private static ZlibWrapper wrapper(String encoding) {
    return switch (encoding) {
      case "gzip" -> ZlibWrapper.GZIP;
      case "deflate" -> ZlibWrapper.ZLIB;
      default ->
          throw new InferenceException(
              ErrorCode.UNSUPPORTED, "content-encoding '" + encoding + "' is not supported");
    };
  }
}
