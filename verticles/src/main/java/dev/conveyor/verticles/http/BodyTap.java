package dev.conveyor.verticles.http;

import dev.conveyor.verticles.BodyWatch;
import io.netty.buffer.ByteBuf;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.LastHttpContent;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.impl.Http1xServerConnection;
import io.vertx.core.net.impl.ConnectionBase;
import org.jspecify.annotations.Nullable;

/**
 * Shows the bytes of a request's body while they are still in the receive buffer. Vert.x hands out
 * copies on the heap; for large tensors that copy, and the garbage it makes, costs more than
 * everything else the server does with them.
 *
 * <p>Thread-confined: the event loop of its connection. HTTP/1 only.
 */
final class BodyTap extends ChannelInboundHandlerAdapter {

  /** Told each part of a body, in order; the bytes are valid during the call only. */
  interface Sink {
    void accept(ByteBuf part);
  }

  private static final String NAME = "conveyor-body";
  private static final String HEAD_NAME = "conveyor-head";
  private static final String VERTX_HANDLER = "handler";
  private static final String HTTP1_DECODER = "httpDecoder";

  /** Large reads save system calls; the buffer should still fit the second-level cache. */
  private static final int MAX_READ_BYTES = 256 * 1024;

  private boolean atHead;
  private @Nullable Sink sink;

  private final HeadWatch heads;

  private BodyTap(HeadWatch heads) {
    this.heads = heads;
  }

  /**
   * Prepares a new connection; returns false where there is no HTTP/1 under it.
   *
   * @param watch ends the patience with heads
   */
  static boolean install(HttpConnection connection, BodyWatch watch) {
    Channel channel = channel(connection);
    // While a connection is upgraded to HTTP/2 the decoder of HTTP/1 is still there.
    if (channel == null
        || !(connection instanceof Http1xServerConnection)
        || channel.pipeline().get(HTTP1_DECODER) == null) {
      return false;
    }
    channel
        .config()
        .setRecvByteBufAllocator(new AdaptiveRecvByteBufAllocator(1024, 4096, MAX_READ_BYTES));
    HeadWatch heads = new HeadWatch(watch);
    channel.pipeline().addBefore(HTTP1_DECODER, HEAD_NAME, heads);
    channel.pipeline().addBefore(VERTX_HANDLER, NAME, new BodyTap(heads));
    return true;
  }

  /**
   * Sends the body of the request that is being handled to {@code sink}, and none of it to Vert.x,
   * which still tells its end. Returns false if that cannot be done, and the body has to be taken
   * from Vert.x: there is no tap, or part of the body may already wait behind an earlier request.
   */
  static boolean open(HttpConnection connection, Sink sink) {
    Channel channel = channel(connection);
    if (channel == null || !(channel.pipeline().get(NAME) instanceof BodyTap tap) || !tap.atHead) {
      return false;
    }
    tap.sink = sink;
    return true;
  }

  /**
   * Stops or goes on reading from the connection of a request whose body comes through a tap. What
   * was read already still comes.
   */
  static void setReading(HttpConnection connection, boolean reading) {
    Channel channel = channel(connection);
    if (channel != null) {
      channel.config().setAutoRead(reading);
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    heads.decoded(message);
    if (message instanceof HttpRequest) {
      sink = null;
      atHead = true;
      try {
        context.fireChannelRead(message);
      } finally {
        atHead = false;
      }
    } else if (sink != null
        && message instanceof HttpContent content
        && content.decoderResult().isSuccess()) {
      take(context, content, sink);
    } else {
      context.fireChannelRead(message);
    }
  }

  private void take(ChannelHandlerContext context, HttpContent content, Sink target) {
    boolean last = content instanceof LastHttpContent;
    try {
      if (content.content().isReadable()) {
        target.accept(content.content());
      }
    } finally {
      content.release();
      if (last) {
        sink = null;
        context.fireChannelRead(LastHttpContent.EMPTY_LAST_CONTENT);
      }
    }
  }

  static @Nullable Channel channel(HttpConnection connection) {
    return connection instanceof ConnectionBase base ? base.channel() : null;
  }
}
