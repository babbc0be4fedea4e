package dev.conveyor.models.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
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
 * <p>What a custom operator prints may never end a line: of a long one only the beginning is kept.
 *
 * <p>A JVM that crashes in native code says so here first, and then takes some 50 ms to write a
 * report; nobody needs to wait for that.
 */
final class OutputTail {

  private static final Logger LOG = LoggerFactory.getLogger(OutputTail.class);
  private static final int LINES = 20;
  private static final int LINE_LENGTH = 500;
  private static final int CHUNK = 4096;
  private static final long END_LIMIT_MS = 200;

  private final Thread reader;

  @GuardedBy("this")
  private final Deque<String> lines = new ArrayDeque<>();

  /**
   * Begins to read.
   *
   * @param pid of the worker
   * @param output what it prints; closed at its end
   * @param crashed told what the JVM says about a crash, on the reading thread
   */
  OutputTail(long pid, InputStream output, Consumer<List<String>> crashed) {
    reader = new Thread(() -> read(pid, output, crashed), "worker-output-" + pid);
    reader.setDaemon(true);
    reader.start();
  }

  private void read(long pid, InputStream printed, Consumer<List<String>> crashed) {
    try (Reader output = new InputStreamReader(printed, StandardCharsets.UTF_8)) {
      char[] chars = new char[CHUNK];
      StringBuilder line = new StringBuilder();
      for (int end = output.read(chars); end >= 0; end = output.read(chars)) {
        for (int at = 0; at < end; at++) {
          if (chars[at] == '\n') {
            ended(pid, line, crashed);
          } else if (line.length() < LINE_LENGTH) {
            line.append(chars[at]);
          }
        }
      }
      if (!line.isEmpty()) {
        ended(pid, line, crashed);
      }
    } catch (IOException e) {
      // The worker is gone.
    }
  }

  private void ended(long pid, StringBuilder text, Consumer<List<String>> crashed) {
    String line = text.toString();
    text.setLength(0);
    LOG.debug("worker {}: {}", pid, line);
    List<String> crash = add(line);
    if (!crash.isEmpty()) {
      crashed.accept(crash);
    }
  }

  /** Returns the lines about a crash once they say where it was, otherwise none. */
  private synchronized List<String> add(String line) {
    boolean named = Epitaph.FRAME.equals(lines.peekLast()) && lines.contains(Epitaph.CRASH);
    if (lines.size() == LINES) {
      lines.removeFirst();
    }
    lines.addLast(line);
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
