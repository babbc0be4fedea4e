package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.chaos.Probe;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What a culprit in a batch costs the others, and when an execution that hangs is cut whose model
 * is slow.
 *
 * <p>Not thread-safe: owned by the suite. The rows share a server.
 */
final class ProbeRows implements AutoCloseable {

  private static final int BATCH = 32;
  private static final float SLOW_MS = 150;
  private static final double LEAST_CUT_MS = 1000;

  private final IsolationRows before;
  private @Nullable Probe probe;

  /**
   * Creates the rows.
   *
   * @param before rows whose server is no longer needed
   */
  ProbeRows(IsolationRows before) {
    this.before = before;
  }

  List<SuiteRow> rows() {
    return List.of(
        new SuiteRow(
            "one culprit in a batch of 32: extra executions",
            Target.atMost(10, ""),
            this::culprits),
        new SuiteRow(
            "hung execution of a slow model: cut after / max(10 x p99, 1 s)",
            Target.atMost(1, ""),
            this::slowHang));
  }

  @Override
  public void close() {
    if (probe != null) {
      try {
        probe.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      probe = null;
    }
  }

  private Probe probe() throws IOException, InterruptedException {
    Probe open = probe;
    if (open == null) {
      before.close();
      open = Probe.open();
      probe = open;
    }
    return open;
  }

  /** One culprit in every place of a batch, in a server, over HTTP. */
  private Measured culprits() throws IOException, InterruptedException {
    int most = 0;
    long all = 0;
    for (int place = 0; place < BATCH; place++) {
      Probe.Culprit culprit = probe().culprit(place);
      if (culprit.answered() != BATCH - 1) {
        return new Measured(
            Double.POSITIVE_INFINITY,
            "%d of 31 were answered, the culprit being number %d"
                .formatted(culprit.answered(), place));
      }
      most = Math.max(most, culprit.extra());
      all += culprit.extra();
    }
    return new Measured(
        most,
        String.format(
            Locale.ROOT,
            "the worst of 32 places, over HTTP: executions that succeeded by the statistics, those"
                + " that failed by the backend; on average %.1f; 31 of 31 others are answered in"
                + " each",
            (double) all / BATCH));
  }

  private Measured slowHang() throws IOException, InterruptedException {
    Probe.Hang hang = probe().hang(SLOW_MS);
    return new Measured(
        hang.cutMs() / Math.max(LEAST_CUT_MS, 10 * hang.p99Ms()),
        String.format(
            Locale.ROOT,
            "an execution takes %.0f ms, p99 %.1f ms at concurrency 1; cut after %.0f ms",
            SLOW_MS,
            hang.p99Ms(),
            hang.cutMs()));
  }
}
