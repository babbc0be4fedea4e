package dev.conveyor.verticles;

import dev.conveyor.verticles.isolation.IsolationJournal;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.util.concurrent.ScheduledFuture;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.impl.Http1xServerConnection;
import io.vertx.core.net.NetClient;
import io.vertx.core.net.NetClientOptions;
import io.vertx.core.net.impl.ConnectionBase;
import io.vertx.core.net.impl.VertxHandler;
import java.util.concurrent.TimeUnit;

/**
 * Closes connections that bring no request: nothing at all, a head that never ends, or, over
 * HTTP/2, the beginning of a connection and no call. Vert.x tells of a connection only once it
 * knows which protocol it speaks, for HTTP/1 by the end of its first head; until then nobody else
 * would close it, and no limit counts it.
 *
 * <p>A connection of HTTP/2 is looked at as long as it is there: without a call between two looks
 * it is closed, whatever else it sent. What is open is no business of this class, since a call may
 * last.
 *
 * <p>Thread-safe: one per listening socket, told of new connections on the thread that accepts;
 * each is looked at on its own event loop.
 */
@Sharable
public final class ConnectionWatch extends ChannelInboundHandlerAdapter {

  private static final String NAME = "conveyor-connections";
  private static final int KNOCK_MS = 2_000;

  /** The beginning of a connection over HTTP/2, and no settings. */
  private static final Buffer PREFACE =
      Buffer.buffer("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
          .appendBytes(new byte[] {0, 0, 0, 4, 0, 0, 0, 0, 0});

  private final EventBus bus;
  private final long firstMs;
  private final long idleMs;

  /**
   * Creates the watch of one listening socket.
   *
   * @param bus where it is told of what is closed
   * @param firstMs how long the head of the first request may take, from when it was connected
   * @param idleMs how long a connection over HTTP/2 may be without a call after that, at least; at
   *     most twice as long
   */
  ConnectionWatch(EventBus bus, long firstMs, long idleMs) {
    this.bus = bus;
    this.firstMs = firstMs;
    this.idleMs = idleMs;
  }

  /**
   * Watches this connection and those that will come by the same socket, unless that is done
   * already; see {@link #knock}.
   */
  public static synchronized void install(
      EventBus bus, HttpConnection connection, long firstMs, long idleMs) {
    if (!(connection instanceof ConnectionBase accepted)) {
      return;
    }
    Channel listener = accepted.channel().parent();
    if (listener != null && listener.pipeline().get(NAME) == null) {
      ConnectionWatch watch = new ConnectionWatch(bus, firstMs, idleMs);
      listener.pipeline().addFirst(NAME, watch);
      watch.lookIn(accepted.channel(), firstMs, 0);
    }
  }

  /**
   * Makes a connection to a socket that listens, because there is no other way to it than by what
   * was accepted: {@link #install} has to be told of it. Completes in any case, once the server has
   * answered, and closes the connection.
   */
  public static Future<Void> knock(Vertx vertx, String host, int port) {
    Promise<Void> answered = Promise.promise();
    long timer = vertx.setTimer(KNOCK_MS, id -> answered.tryComplete());
    NetClient client = vertx.createNetClient(new NetClientOptions().setConnectTimeout(KNOCK_MS));
    client
        .connect(port, host)
        .onFailure(refused -> answered.tryComplete())
        .onSuccess(
            socket -> {
              socket.handler(settings -> answered.tryComplete());
              socket.closeHandler(v -> answered.tryComplete());
              var unused = socket.write(PREFACE);
            });
    return answered
        .future()
        .onComplete(
            v -> {
              vertx.cancelTimer(timer);
              client.close(); // Not before: a client that nobody holds closes its connections.
            });
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object accepted) {
    context.fireChannelRead(accepted);
    if (accepted instanceof Channel connection && connection.isOpen()) {
      lookIn(connection, firstMs, 0);
    }
  }

  private void lookIn(Channel connection, long ms, int callsBefore) {
    ScheduledFuture<?> look =
        connection
            .eventLoop()
            .schedule(() -> look(connection, callsBefore), ms, TimeUnit.MILLISECONDS);
    var unused = connection.closeFuture().addListener(closed -> look.cancel(false));
  }

  private void look(Channel connection, int callsBefore) {
    Http2ConnectionHandler http2 = connection.pipeline().get(Http2ConnectionHandler.class);
    if (http2 != null) {
      Http2Connection calls = http2.connection();
      int last = calls.remote().lastStreamCreated();
      if (calls.numActiveStreams() == 0 && last == callsBefore) {
        close(connection);
      } else {
        lookIn(connection, idleMs, last);
      }
    } else if (!isHttp1(connection)) {
      close(connection);
    }
  }

  private void close(Channel connection) {
    var unused = connection.close();
    IsolationJournal.tell(bus, "no_request");
  }

  /** Returns true if there was a request, or is at least the whole head of one. */
  private static boolean isHttp1(Channel connection) {
    VertxHandler<?> handler = connection.pipeline().get(VertxHandler.class);
    return handler != null && handler.getConnection() instanceof Http1xServerConnection;
  }
}
