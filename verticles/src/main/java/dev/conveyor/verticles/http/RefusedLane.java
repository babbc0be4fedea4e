package dev.conveyor.verticles.http;

import dev.conveyor.scheduler.NanoClock;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.net.impl.ConnectionBase;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Where what comes waits on connections of which a request was refused within the last second. It
 * is looked at a few connections per turn of the event loop, in the order in which it came; what
 * others send is looked at as it comes. To refuse a request takes some 30 microseconds, and clients
 * that are refused a thousand times at once would otherwise keep all others, and the batches that
 * wait to be sent, from the event loop for as long as that takes.
 *
 * <p>Thread-confined: one per front end, on its event loop. Bounded: what is beyond {@link
 * #MOST_BYTES} is looked at as it comes, and a connection that has {@link #MOST_BYTES_EACH} waiting
 * is not read from.
 */
final class RefusedLane {

  /** Connections that have their turn between two looks at what others sent. */
  static final int PER_TURN = 16;

  private static final int MOST_BYTES_EACH = 256 * 1024;
  private static final int MOST_BYTES = 32 * 1024 * 1024;
  private static final String NAME = "conveyor-refused";

  private static final long REFUSED_FOR_NS = 1_000_000_000;

  private final NanoClock clock;
  private final Executor nextTurn;
  private final ArrayDeque<Gate> waiting = new ArrayDeque<>();
  private int bytes;
  private boolean scheduled;

  /**
   * Creates an empty lane.
   *
   * @param nextTurn runs something on the same event loop once it has looked at what came meanwhile
   */
  RefusedLane(NanoClock clock, Executor nextTurn) {
    this.clock = clock;
    this.nextTurn = nextTurn;
  }

  /** Prepares a new connection; does nothing where there is no channel under it. */
  void install(HttpConnection connection) {
    Channel channel = channel(connection);
    if (channel != null) {
      channel.pipeline().addFirst(NAME, gate());
    }
  }

  Gate gate() {
    return new Gate();
  }

  /** Takes note that a request of a connection was refused. */
  static void refused(HttpConnection connection) {
    Channel channel = channel(connection);
    if (channel != null && channel.pipeline().get(NAME) instanceof Gate gate) {
      gate.refused();
    }
  }

  private void letSomePass() {
    scheduled = false;
    for (int i = 0; i < PER_TURN && !waiting.isEmpty(); i++) {
      waiting.remove().letPass();
    }
    schedule();
  }

  private void schedule() {
    if (!scheduled && !waiting.isEmpty()) {
      scheduled = true;
      nextTurn.execute(this::letSomePass);
    }
  }

  private static @Nullable Channel channel(HttpConnection connection) {
    return connection instanceof ConnectionBase base ? base.channel() : null;
  }

  /** At the very front of one connection's pipeline. */
  final class Gate extends ChannelInboundHandlerAdapter {

    private final ArrayDeque<ByteBuf> held = new ArrayDeque<>(2);
    private @Nullable ChannelHandlerContext context;
    private boolean refusedBefore;
    private long refusedNs;
    private int heldBytes;
    private boolean stopsReading;

    /** A request of the connection was refused. */
    void refused() {
      refusedBefore = true;
      refusedNs = clock.nanoTime();
    }

    private boolean wasRefusedLately() {
      refusedBefore = refusedBefore && clock.nanoTime() - refusedNs < REFUSED_FOR_NS;
      return refusedBefore;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext added) {
      context = added;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      boolean holds = !held.isEmpty() || (wasRefusedLately() && bytes < MOST_BYTES);
      if (!holds || !(message instanceof ByteBuf part)) {
        context.fireChannelRead(message);
        return;
      }
      if (held.isEmpty()) {
        waiting.add(this);
        schedule();
      }
      held.add(part);
      heldBytes += part.readableBytes();
      bytes += part.readableBytes();
      if (heldBytes >= MOST_BYTES_EACH && context.channel().config().isAutoRead()) {
        stopsReading = true;
        context.channel().config().setAutoRead(false);
      }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      if (held.isEmpty()) {
        context.fireChannelReadComplete();
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      letPass();
      context.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext removed) {
      letPass();
    }

    private void letPass() {
      ChannelHandlerContext target = context;
      if (held.isEmpty() || target == null) {
        return;
      }
      waiting.remove(this); // unless its turn has come
      bytes -= heldBytes;
      heldBytes = 0;
      if (stopsReading) {
        stopsReading = false;
        // Before the parts are passed on: whoever stops to read because of them has the last word.
        target.channel().config().setAutoRead(true);
      }
      for (ByteBuf part = held.poll(); part != null; part = held.poll()) {
        target.fireChannelRead(part);
      }
      target.fireChannelReadComplete();
    }
  }
}
