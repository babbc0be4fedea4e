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
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Main class of a worker process. Arguments: the server's socket, the page to count in, the class
 * of the backend, whose worker it is, and how many batches it runs at once: so many lanes it has,
 * each with a connection and a thread.
 *
 * <p>It ends when the server closes the socket or is gone: the server holds the other end of
 * standard input and never writes to it, so the end of that input is the end of the server, however
 * busy this process is. Signals that ask it to end are ignored: they are the server's to act on.
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
    List<ControlChannel> lanes = new ArrayList<>();
    for (int lane = 0; lane < Integer.parseInt(arguments[3]); lane++) {
      lanes.add(connect(arguments[0], page, lane));
    }
    Backend backend =
        Class.forName(arguments[2])
            .asSubclass(Backend.class)
            .getDeclaredConstructor()
            .newInstance();
    WorkerModel model = new WorkerModel(backend);
    for (int lane = 1; lane < lanes.size(); lane++) {
      ControlChannel channel = lanes.get(lane);
      daemon("lane-" + lane, () -> run(channel, model));
    }
    run(lanes.get(0), model);
  }

  /** One after the other: the server tells them apart by their order. */
  private static ControlChannel connect(String address, ControlPage page, int lane)
      throws IOException {
    SocketChannel socket = SocketChannel.open(UnixDomainSocketAddress.of(address));
    ControlChannel channel = new ControlChannel(socket, page.workerBell(lane));
    channel
        .begin(MessageType.HELLO)
        .putInt(ControlChannel.VERSION)
        .putString(String.valueOf(System.getenv(TOKEN)))
        .putInt(lane)
        .send();
    return channel;
  }

  private static void run(ControlChannel channel, WorkerModel model) {
    try {
      new WorkerLoop(channel, model).run();
    } catch (EOFException e) {
      end();
    } catch (IOException | RuntimeException e) {
      // Whichever lane it is: the server finds out why in the last line.
      System.err.println(e);
      Runtime.getRuntime().halt(1);
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
