package dev.conveyor.models.process;

import dev.conveyor.models.process.wire.ControlChannel;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.MessageType;
import java.io.IOException;

/**
 * The server's end of one lane of a worker process: asks, and waits for the answer. A process has
 * as many as it runs batches at once.
 *
 * <p>Not thread-safe: one thread at a time talks on it, whatever others do on other lines. A wait
 * ends when the process does or is killed.
 */
final class WorkerLine {

  private final WorkerProcess process;
  private final ControlChannel channel;

  WorkerLine(WorkerProcess process, ControlChannel channel) {
    this.process = process;
    this.channel = channel;
  }

  WorkerProcess process() {
    return process;
  }

  /** Begins a message. */
  ControlChannel begin(MessageType type) {
    return channel.begin(type);
  }

  /** As {@link #call()}, for what the watch allows the time of a load; on one line at a time. */
  Message callToLoad() throws WorkerLostException {
    process.loadBegins();
    try {
      return call();
    } finally {
      process.loadEnds();
    }
  }

  /** As {@link #call(long)}, asleep. */
  Message call() throws WorkerLostException {
    return call(0);
  }

  /**
   * Sends what was begun and waits for the answer, which is valid until the next call.
   *
   * @param awakeNs how long to wait awake
   * @throws WorkerLostException if the process is gone, or had to be killed for what it said
   */
  Message call(long awakeNs) throws WorkerLostException {
    try {
      channel.send();
      return channel.receive(awakeNs);
    } catch (IOException e) {
      throw process.lost(e);
    }
  }

  /** Ends a wait. From any thread. */
  void close() {
    channel.close();
  }
}
