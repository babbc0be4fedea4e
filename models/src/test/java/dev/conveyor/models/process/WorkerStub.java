package dev.conveyor.models.process;

import dev.conveyor.models.process.wire.ControlChannel;
import dev.conveyor.models.process.wire.ControlPage;
import dev.conveyor.models.process.wire.MessageType;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * The beginning of a worker: it shows signs of life and says hello. What it says then is up to it.
 *
 * @param socket what the channel is on
 */
record WorkerStub(SocketChannel socket, ControlChannel channel) {

  /** Connects to the server that started this process with these arguments, on its only lane. */
  static WorkerStub connect(String[] arguments) throws IOException {
    return connect(arguments, 0);
  }

  /** Connects one lane; the server wants them in order. */
  static WorkerStub connect(String[] arguments, int lane) throws IOException {
    ControlPage page = ControlPage.open(Path.of(arguments[1]));
    Thread heart = new Thread(() -> beat(page));
    heart.setDaemon(true);
    heart.start();
    SocketChannel socket = SocketChannel.open(UnixDomainSocketAddress.of(arguments[0]));
    ControlChannel channel = new ControlChannel(socket, page.workerBell(lane));
    channel
        .begin(MessageType.HELLO)
        .putInt(ControlChannel.VERSION)
        .putString(System.getenv("CONVEYOR_WORKER_TOKEN"))
        .putInt(lane)
        .send();
    return new WorkerStub(socket, channel);
  }

  private static void beat(ControlPage page) {
    try {
      while (true) {
        page.beat();
        TimeUnit.MILLISECONDS.sleep(50);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
