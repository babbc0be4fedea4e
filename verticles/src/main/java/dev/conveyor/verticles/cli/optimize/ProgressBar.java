package dev.conveyor.verticles.cli.optimize;

import dev.conveyor.models.optimize.Progress;
import java.io.PrintWriter;

/**
 * A bar on one line of a terminal, drawn again at most ten times a second. Not thread-safe: used by
 * the thread that works.
 */
public final class ProgressBar implements Progress {

  private static final int WIDTH = 30;
  private static final long REDRAW_NS = 100_000_000;

  private final PrintWriter out;
  private String step = "";
  private long drawnNs = Long.MIN_VALUE;

  public ProgressBar(PrintWriter out) {
    this.out = out;
  }

  @Override
  public void at(String newStep, int done, int total) {
    long now = System.nanoTime();
    boolean changed = !newStep.equals(step);
    if (changed && !step.isEmpty()) {
      out.println();
    }
    if (changed || done == total || now - drawnNs >= REDRAW_NS) {
      step = newStep;
      drawnNs = now;
      out.print("\r" + line(newStep, done, total));
      out.flush();
    }
  }

  /** Ends the last line. */
  public void finish() {
    if (!step.isEmpty()) {
      out.println();
      out.flush();
    }
  }

  static String line(String step, int done, int total) {
    int filled = total == 0 ? WIDTH : (int) ((long) WIDTH * done / total);
    return "[%s%s] %d/%d %s"
        .formatted("#".repeat(filled), " ".repeat(WIDTH - filled), done, total, step);
  }
}
