package dev.conveyor.verticles.metrics;

/**
 * Writes metric families in Prometheus' text format 0.0.4.
 *
 * <p>Not thread-safe: owned by the scrape that it is written for. A family is opened once, and all
 * its samples follow before the next is opened, as the format demands.
 *
 * <p>Written here because the client libraries append {@code _total} to the names of counters, and
 * Triton's names do not have it.
 */
final class PrometheusText {

  static final String CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

  private final StringBuilder text = new StringBuilder(16 * 1024);
  private String name = "";

  PrometheusText counter(String name, String help) {
    return open(name, "counter", help);
  }

  PrometheusText gauge(String name, String help) {
    return open(name, "gauge", help);
  }

  PrometheusText histogram(String name, String help) {
    return open(name, "histogram", help);
  }

  /** Writes a sample of the open family; {@code labels} comes from {@link #labels}. */
  PrometheusText sample(String labels, long value) {
    return start("", labels).append(value);
  }

  PrometheusText sample(String labels, double value) {
    return start("", labels).append(value);
  }

  /** Writes all samples of one histogram of durations, in seconds. */
  void samples(String labels, LatencySnapshot latencies) {
    long cumulative = 0;
    for (int bound = 0; bound < LatencyBuckets.boundCount(); bound++) {
      cumulative += latencies.inBucket(bound);
      bucket(labels, LatencyBuckets.label(bound), cumulative);
    }
    end(labels, latencies.sumNs() / 1e9, latencies.count());
  }

  /** Writes one cumulative bucket of the open histogram. */
  void bucket(String labels, String upperBound, long cumulative) {
    start("_bucket", join(labels, "le=\"" + upperBound + "\"")).append(cumulative);
  }

  /** Writes what closes one histogram: the bucket of everything, sum and count. */
  void end(String labels, double sum, long count) {
    bucket(labels, "+Inf", count);
    start("_sum", labels).append(sum);
    start("_count", labels).append(count);
  }

  /** Returns name and value pairs as the inside of a label list, values escaped. */
  static String labels(String... namesAndValues) {
    StringBuilder labels = new StringBuilder();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      if (i > 0) {
        labels.append(',');
      }
      labels.append(namesAndValues[i]).append("=\"");
      escape(namesAndValues[i + 1], true, labels);
      labels.append('"');
    }
    return labels.toString();
  }

  static String join(String labels, String more) {
    return labels.isEmpty() ? more : labels + ',' + more;
  }

  @Override
  public String toString() {
    return text.toString();
  }

  private PrometheusText open(String family, String type, String help) {
    name = family;
    text.append("# HELP ").append(family).append(' ');
    escape(help, false, text);
    text.append("\n# TYPE ").append(family).append(' ').append(type).append('\n');
    return this;
  }

  private PrometheusText start(String suffix, String labels) {
    text.append(name).append(suffix);
    if (!labels.isEmpty()) {
      text.append('{').append(labels).append('}');
    }
    text.append(' ');
    return this;
  }

  private PrometheusText append(long value) {
    text.append(value).append('\n');
    return this;
  }

  private PrometheusText append(double value) {
    if (Double.isInfinite(value)) {
      text.append(value > 0 ? "+Inf" : "-Inf");
    } else {
      text.append(value);
    }
    text.append('\n');
    return this;
  }

  private static void escape(String value, boolean quotes, StringBuilder out) {
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c == '\n') {
        out.append("\\n");
      } else if (c == '\\' || (quotes && c == '"')) {
        out.append('\\').append(c);
      } else {
        out.append(c);
      }
    }
  }
}
