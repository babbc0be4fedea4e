package dev.conveyor.models.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads what a worker prints, so that it never waits for a reader; keeps the end. Thread-safe. */
final class OutputTail {

  private static final Logger LOG = LoggerFactory.getLogger(OutputTail.class);
  private static final int LINES = 20;
  private static final int LINE_LENGTH = 500;
  private static final long END_LIMIT_MS = 200;

  private final Thread reader;

  @GuardedBy("this")
  private final Deque<String> lines = new ArrayDeque<>();

  OutputTail(Process process) {
    reader = new Thread(() -> read(process), "worker-output-" + process.pid());
    reader.setDaemon(true);
    reader.start();
  }

  private void read(Process process) {
    try (BufferedReader output =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        LOG.debug("worker {}: {}", process.pid(), line);
        add(line);
      }
    } catch (IOException e) {
      // The worker is gone.
    }
  }

  private synchronized void add(String line) {
    if (lines.size() == LINES) {
      lines.removeFirst();
    }
    lines.addLast(line.length() > LINE_LENGTH ? line.substring(0, LINE_LENGTH) : line);
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
