package dev.conveyor.models.process.worker;

import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.process.wire.ControlChannel;
import dev.conveyor.models.process.wire.ControlPage;
import dev.conveyor.models.process.wire.MessageType;
import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * Main class of a worker process. Arguments: the server's socket, the page to count in, the class
 * of the backend.
 *
 * <p>It ends when the server closes the socket or is gone: the server holds the other end of
 * standard input and never writes to it, so the end of that input is the end of the server, however
 * busy this process is.
 */
public final class WorkerMain {

  private static final long BEAT_MS = 50;
  private static final String TOKEN = "CONVEYOR_WORKER_TOKEN";

  private WorkerMain() {}

  /** Works until the server is gone. */
  public static void main(String[] arguments) throws Exception {
    ControlPage page = ControlPage.open(Path.of(arguments[1]));
    daemon("heartbeat", () -> beat(page));
    daemon("server-watch", WorkerMain::awaitEndOfServer);
    SocketChannel socket = SocketChannel.open(UnixDomainSocketAddress.of(arguments[0]));
    ControlChannel channel = new ControlChannel(socket, page.workerBell());
    channel
        .begin(MessageType.HELLO)
        .putInt(ControlChannel.VERSION)
        .putString(String.valueOf(System.getenv(TOKEN)))
        .send();
    Backend backend =
        Class.forName(arguments[2])
            .asSubclass(Backend.class)
            .getDeclaredConstructor()
            .newInstance();
    try {
      new WorkerLoop(channel, backend).run();
    } catch (EOFException e) {
      end();
    }
  }

  private static void daemon(String name, Runnable task) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    thread.start();
  }

  private static void beat(ControlPage page) {
    try {
      while (true) {
        page.beat();
        TimeUnit.MILLISECONDS.sleep(BEAT_MS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void awaitEndOfServer() {
    try {
      while (System.in.read() >= 0) {
        // The server has nothing to say here.
      }
    } catch (IOException e) {
      // As good as its end.
    }
    end();
  }

  /** Ends at once: native libraries need not tidy up what the system is about to take back. */
  private static void end() {
    Runtime.getRuntime().halt(0);
  }
}
