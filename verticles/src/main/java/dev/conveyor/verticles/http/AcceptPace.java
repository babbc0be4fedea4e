package dev.conveyor.verticles.http;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoop;
import io.netty.channel.MaxMessagesRecvByteBufAllocator;
import io.netty.channel.RecvByteBufAllocator;
import io.vertx.core.http.HttpConnection;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Accepts few new connections per turn of the event loops that serve them, so that those who are
 * connected are answered meanwhile. Connections are accepted by a thread of their own; hundreds
 * that it hands over at once would be set up in one turn, and nobody would get an answer before the
 * last of them was. Those that wait do so in the backlog of the listening socket.
 *
 * <p>Thread-safe: one per listening socket, told of new connections on the thread that accepts, and
 * of their turn on the event loops.
 *
 * <p>Invariant: while accepting is paused, some connection has been handed over whose turn is to
 * come, and the last of them resumes it.
 */
@Sharable
final class AcceptPace extends ChannelInboundHandlerAdapter {

  private static final String NAME = "conveyor-accept";
  static final int AT_ONCE = 4;

  private static final long NEXT_TURN_NS = 50_000;

  private final AtomicInteger handedOver = new AtomicInteger();

  AcceptPace() {}

  /** Sets the pace of the socket that a connection came by, once; the connection is its first. */
  static synchronized void install(HttpConnection connection) {
    Channel channel = BodyTap.channel(connection);
    Channel listener = channel == null ? null : channel.parent();
    if (listener != null) {
      ChannelPipeline pipeline = listener.pipeline();
      if (pipeline.get(NAME) == null) {
        pipeline.addFirst(NAME, new AcceptPace());
      }
    }
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    RecvByteBufAllocator allocator = context.channel().config().getRecvByteBufAllocator();
    if (allocator instanceof MaxMessagesRecvByteBufAllocator accepts) {
      accepts.maxMessagesPerRead(AT_ONCE); // some accept that many before they hand any over
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object accepted) {
    Channel listener = context.channel();
    if (handedOver.incrementAndGet() >= AT_ONCE) {
      listener.config().setAutoRead(false);
    }
    context.fireChannelRead(accepted);
    EventLoop loop = accepted instanceof Channel connection ? loop(connection) : null;
    if (loop == null) {
      hadItsTurn(listener);
    } else {
      // What is added to the tasks of a loop is run in the same turn, for up to a second; what is
      // due later is run after connections were read from.
      Future<?> unused =
          loop.schedule(() -> hadItsTurn(listener), NEXT_TURN_NS, TimeUnit.NANOSECONDS);
    }
  }

  /**
   * Returns whose connection it is: known as soon as it is handed over, before it is registered.
   */
  private static @Nullable EventLoop loop(Channel connection) {
    try {
      return connection.eventLoop();
    } catch (IllegalStateException nobodyTookIt) {
      return null;
    }
  }

  private void hadItsTurn(Channel listener) {
    if (handedOver.decrementAndGet() == 0) {
      listener.config().setAutoRead(true);
    }
  }
}
