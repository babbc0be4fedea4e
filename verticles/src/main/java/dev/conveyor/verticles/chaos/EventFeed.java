package dev.conveyor.verticles.chaos;

import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * Hears the events of a server that has an {@link EventRelay}, and when.
 *
 * <p>Thread-safe. Owns one thread and a socket until {@link #close}.
 */
final class EventFeed implements AutoCloseable {

  /** The largest datagram there is; an event with a longer message does not come. */
  private static final int MOST_BYTES = 65_507;

  private record Waiter(Predicate<JsonObject> wanted, CompletableFuture<Long> heardNs) {}

  private final DatagramSocket socket;
  private final List<Waiter> waiters = new CopyOnWriteArrayList<>();
  private final List<Consumer<JsonObject>> listeners = new CopyOnWriteArrayList<>();

  private EventFeed(DatagramSocket socket) {
    this.socket = socket;
  }

  static EventFeed open() throws IOException {
    EventFeed feed = new EventFeed(new DatagramSocket(0, InetAddress.getLoopbackAddress()));
    Thread thread = new Thread(feed::listen, "chaos-events");
    thread.setDaemon(true);
    thread.start();
    return feed;
  }

  /** Returns where to send to. */
  int port() {
    return socket.getLocalPort();
  }

  /** Returns when, by {@link System#nanoTime}, the next event that is wanted is heard. */
  CompletableFuture<Long> next(Predicate<JsonObject> wanted) {
    Waiter waiter = new Waiter(wanted, new CompletableFuture<>());
    waiters.add(waiter);
    var unused = waiter.heardNs().whenComplete((heard, failure) -> waiters.remove(waiter));
    return waiter.heardNs();
  }

  /** Passes on every event from now on, on the thread that hears it; run the result to end that. */
  Runnable each(Consumer<JsonObject> listener) {
    listeners.add(listener);
    return () -> listeners.remove(listener);
  }

  private void listen() {
    byte[] bytes = new byte[MOST_BYTES];
    DatagramPacket packet = new DatagramPacket(bytes, bytes.length);
    try {
      while (true) {
        packet.setLength(bytes.length);
        socket.receive(packet);
        long nowNs = System.nanoTime();
        JsonObject event =
            new JsonObject(new String(bytes, 0, packet.getLength(), StandardCharsets.UTF_8));
        listeners.forEach(listener -> listener.accept(event));
        for (Waiter waiter : waiters) {
          if (waiter.wanted().test(event)) {
            waiter.heardNs().complete(nowNs);
          }
        }
      }
    } catch (IOException closed) {
      // Nobody wants to hear more.
    }
  }

  @Override
  public void close() {
    socket.close();
  }
}
