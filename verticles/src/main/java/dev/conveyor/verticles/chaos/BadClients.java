package dev.conveyor.verticles.chaos;

import dev.conveyor.memory.ThreadPriority;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/**
 * Clients that do not do what clients do, at the lowest priority: on a machine of their own, what
 * they do would take nothing from those who are measured beside them. Stateless.
 */
final class BadClients {

  private static final int DISCONNECTS = 500;
  private static final int LORIS = 100;
  private static final int LORIS_BYTES = 20;
  private static final long LORIS_PAUSE_MS = 100;

  private BadClients() {}

  /** Five hundred clients, all connected and in their request, reset the connection together. */
  static void disconnect(int port, String model) throws IOException, InterruptedException {
    yielding(
        () -> {
          List<Socket> sockets = open(port, DISCONNECTS, head(model, 1 << 16) + "{\"inputs\": [");
          closeAll(sockets);
          return null;
        });
  }

  /** A hundred clients send their request a byte at a time. */
  static void trickle(int port, String model) throws IOException, InterruptedException {
    yielding(
        () -> {
          trickleNow(port, model);
          return null;
        });
  }

  private static void trickleNow(int port, String model) throws IOException, InterruptedException {
    List<Socket> sockets = open(port, LORIS, head(model, 1000));
    try {
      for (int i = 0; i < LORIS_BYTES; i++) {
        for (Socket socket : sockets) {
          write(socket, " ");
        }
        TimeUnit.MILLISECONDS.sleep(LORIS_PAUSE_MS);
      }
    } finally {
      closeAll(sockets);
    }
  }

  /** Opens so many connections and writes to each; all are open when this returns. */
  static List<Socket> open(int port, int count, String text) throws IOException {
    List<Socket> sockets = new ArrayList<>();
    try {
      for (int i = 0; i < count; i++) {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
        sockets.add(socket);
        socket.setSoLinger(true, 0); // Closed is reset.
        write(socket, text);
      }
      return sockets;
    } catch (IOException e) {
      closeAll(sockets);
      throw e;
    }
  }

  static void closeAll(List<Socket> sockets) throws IOException {
    for (Socket socket : sockets) {
      socket.close();
    }
  }

  private static void yielding(Callable<Void> misdeed) throws IOException, InterruptedException {
    FutureTask<Void> task = new FutureTask<>(misdeed);
    boolean unused =
        ThreadPriority.lowered(
            false,
            () -> {
              task.run();
              return true;
            });
    try {
      task.get();
    } catch (ExecutionException e) {
      throw new IOException("bad clients: " + e.getCause(), e);
    }
  }

  private static String head(String model, int length) {
    return "POST /v2/models/%s/infer HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
        .formatted(model, length);
  }

  private static void write(Socket socket, String text) throws IOException {
    OutputStream out = socket.getOutputStream();
    out.write(text.getBytes(StandardCharsets.US_ASCII));
    out.flush();
  }
}
