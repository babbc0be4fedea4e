package dev.conveyor.verticles.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.vertx.core.http.HttpConnection;

/**
 * Answers over HTTP/1 where the first request of a connection asks to go on over HTTP/2 ({@code
 * Upgrade: h2c}). A server may leave that aside, and RFC 9113 has dropped it. The HTTP client of
 * the JDK asks so by default, and where more than it reads at once (16 KiB) follows the word to
 * switch, it now and then loses its place in it: it waits for ever, or reports a protocol error. It
 * does so with any server of Vert.x, as fabric8io/kubernetes-client#7662 found, too. Clients that
 * begin with HTTP/2 are served over it.
 *
 * <p>Thread-safe: one per listening socket, told of new connections on the thread that accepts;
 * what it adds to a connection is confined to its event loop, and leaves after the first head.
 */
@Sharable
final class NoUpgrade extends ChannelInboundHandlerAdapter {

  private static final String NAME = "conveyor-upgrade";
  private static final String HTTP1_DECODER = "httpDecoder";
  private static final String VERTX_UPGRADE = "h2c";
  private static final String SETTINGS = "http2-settings";

  NoUpgrade() {}

  /** Begins with the connections that come after this one by the same socket, once. */
  static synchronized void install(HttpConnection connection) {
    Channel channel = BodyTap.channel(connection);
    Channel listener = channel == null ? null : channel.parent();
    if (listener != null && listener.pipeline().get(NAME) == null) {
      listener.pipeline().addFirst(NAME, new NoUpgrade());
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object accepted) {
    if (accepted instanceof Channel connection) {
      connection.pipeline().addFirst(NAME, new Beginning());
    }
    context.fireChannelRead(accepted);
  }

  /**
   * Passes the first bytes on one by one until Vert.x has decided by them which protocol it is:
   * only then there is a decoder to stand behind, and the head must not have passed it.
   */
  private static final class Beginning extends ChannelInboundHandlerAdapter {

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      ChannelPipeline pipeline = context.pipeline();
      if (!(message instanceof ByteBuf bytes)) {
        context.fireChannelRead(message);
        return;
      }
      while (bytes.readableBytes() > 1 && !isDecided(pipeline)) {
        context.fireChannelRead(bytes.readRetainedSlice(1));
      }
      if (isDecided(pipeline)) {
        if (pipeline.get(VERTX_UPGRADE) != null) {
          pipeline.addAfter(HTTP1_DECODER, NAME + "-head", new Head());
        }
        pipeline.remove(this);
      }
      context.fireChannelRead(bytes);
    }

    private static boolean isDecided(ChannelPipeline pipeline) {
      return pipeline.get(VERTX_UPGRADE) != null
          || pipeline.get(Http2ConnectionHandler.class) != null;
    }
  }

  /** Takes the wish out of the first head. */
  private static final class Head extends ChannelInboundHandlerAdapter {

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      if (message instanceof HttpRequest request) {
        if (request.headers().contains(SETTINGS)) {
          request.headers().remove(HttpHeaderNames.UPGRADE).remove(SETTINGS);
        }
        context.pipeline().remove(this);
      }
      context.fireChannelRead(message);
    }
  }
}
