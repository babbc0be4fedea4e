package dev.conveyor.verticles.chaos;

import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.verticles.bus.BusAddresses;
import io.vertx.core.Context;
import io.vertx.core.internal.VertxInternal;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Passes the events of a server on to the command that breaks it, so that nobody has to ask again
 * and again: that alone would keep a small machine busy.
 *
 * <p>Thread-safe. Lives in the server; does nothing in one that was not told where to send to.
 */
final class EventRelay {

  /** System property of the server: where the command listens, on this machine. */
  static final String PORT = "conveyor.chaos.port";

  private static final String EVENTS =
      BusAddresses.events(ServerConfig.EventBus.DEFAULT.addressPrefix());

  private static final AtomicBoolean ATTACHED = new AtomicBoolean();
  private static final @Nullable DatagramSocket SOCKET = open();

  private EventRelay() {}

  /** Listens to the events of the server that the context is of from now on; once is enough. */
  static void attach(@Nullable Context context) {
    if (SOCKET != null && context != null && ATTACHED.compareAndSet(false, true)) {
      VertxInternal vertx = (VertxInternal) context.owner();
      // Not on the instance's own thread, which may be made to hang.
      vertx
          .createEventLoopContext()
          .runOnContext(
              v -> vertx.eventBus().<JsonObject>consumer(EVENTS, message -> tell(message.body())));
    }
  }

  /** Tells of one event. */
  static void tell(JsonObject event) {
    DatagramSocket socket = SOCKET;
    if (socket != null) {
      byte[] bytes = event.encode().getBytes(StandardCharsets.UTF_8);
      try {
        socket.send(new DatagramPacket(bytes, bytes.length));
      } catch (IOException nobodyListens) {
        // The command has gone; the server is about to.
      }
    }
  }

  private static @Nullable DatagramSocket open() {
    Integer port = Integer.getInteger(PORT);
    if (port == null) {
      return null;
    }
    try {
      DatagramSocket socket = new DatagramSocket();
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      return socket;
    } catch (IOException e) {
      throw new IllegalStateException("chaos: no events can be sent: " + e, e);
    }
  }
}
