package dev.conveyor.models.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads what a worker prints, so that it never waits for a reader; keeps the end. Thread-safe.
 *
 * <p>A JVM that crashes in native code says so here first, and then takes some 50 ms to write a
 * report; nobody needs to wait for that.
 */
final class OutputTail {

  private static final Logger LOG = LoggerFactory.getLogger(OutputTail.class);
  private static final int LINES = 20;
  private static final int LINE_LENGTH = 500;
  private static final long END_LIMIT_MS = 200;

  private final Thread reader;

  @GuardedBy("this")
  private final Deque<String> lines = new ArrayDeque<>();

  /**
   * Begins to read.
   *
   * @param crashed told what the JVM says about a crash, on the reading thread
   */
  OutputTail(Process process, Consumer<List<String>> crashed) {
    reader = new Thread(() -> read(process, crashed), "worker-output-" + process.pid());
    reader.setDaemon(true);
    reader.start();
  }

  private void read(Process process, Consumer<List<String>> crashed) {
    try (BufferedReader output =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        LOG.debug("worker {}: {}", process.pid(), line);
        List<String> crash = add(line);
        if (!crash.isEmpty()) {
          crashed.accept(crash);
        }
      }
    } catch (IOException e) {
      // The worker is gone.
    }
  }

  /** Returns the lines about a crash once they say where it was, otherwise none. */
  private synchronized List<String> add(String line) {
    boolean named = Epitaph.FRAME.equals(lines.peekLast()) && lines.contains(Epitaph.CRASH);
    if (lines.size() == LINES) {
      lines.removeFirst();
    }
    lines.addLast(line.length() > LINE_LENGTH ? line.substring(0, LINE_LENGTH) : line);
    return named ? List.copyOf(lines) : List.of();
  }

  /** Returns the last lines of a process that has ended; empty if it printed nothing. */
  String text() {
    try {
      reader.join(END_LIMIT_MS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return joined();
  }

  private synchronized String joined() {
    return String.join("\n", lines);
  }
}
