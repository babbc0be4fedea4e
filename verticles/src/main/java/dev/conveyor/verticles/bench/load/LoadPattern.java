package dev.conveyor.verticles.bench.load;

import java.util.Locale;

/** How requests follow each other, per model. Immutable. */
public sealed interface LoadPattern {

  /** Returns what is varied in a sweep over such patterns: the label of the plot's x axis. */
  String axis();

  double value();

  /** Returns a short label, for example {@code c=8}. */
  String label();

  /** Always {@code concurrency} requests in flight: the next is sent when one is answered. */
  record Closed(int concurrency) implements LoadPattern {

    public Closed {
      if (concurrency < 1) {
        throw new IllegalArgumentException("concurrency must be at least 1, was " + concurrency);
      }
    }

    @Override
    public String axis() {
      return "concurrency (requests in flight per model)";
    }

    @Override
    public double value() {
      return concurrency;
    }

    @Override
    public String label() {
      return "c=" + concurrency;
    }
  }

  /**
   * Requests at random times, {@code perSecond} on average, whether or not earlier ones were
   * answered. Latency counts from the time a request was due, so a stalled server is not spared.
   */
  record Open(double perSecond) implements LoadPattern {

    public Open {
      if (!(perSecond > 0) || perSecond > 1e7) {
        throw new IllegalArgumentException(
            "a rate is above 0 and at most 10,000,000 requests/s, was " + perSecond);
      }
    }

    @Override
    public String axis() {
      return "arrival rate (requests/s per model)";
    }

    @Override
    public double value() {
      return perSecond;
    }

    @Override
    public String label() {
      return String.format(
          Locale.ROOT, perSecond == Math.rint(perSecond) ? "%.0f/s" : "%s/s", perSecond);
    }
  }

  /** This many threads, each running one batch after another in this process, without a server. */
  record Direct(int threads) implements LoadPattern {

    public Direct {
      if (threads < 1) {
        throw new IllegalArgumentException("threads must be at least 1, was " + threads);
      }
    }

    @Override
    public String axis() {
      return "threads (in this process)";
    }

    @Override
    public double value() {
      return threads;
    }

    @Override
    public String label() {
      return "threads=" + threads;
    }
  }
}
