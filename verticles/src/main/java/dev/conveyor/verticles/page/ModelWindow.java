package dev.conveyor.verticles.page;

import dev.conveyor.verticles.metrics.LatencySnapshot;
import dev.conveyor.verticles.metrics.ModelStats;
import dev.conveyor.verticles.metrics.ModelStats.Snapshot;
import dev.conveyor.verticles.metrics.ObjectiveCounts;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.OptionalDouble;

/**
 * The recent past of one version of a model: rates and quantiles over a sliding window, from the
 * difference of two snapshots of counters that only grow.
 *
 * <p>Not thread-safe: owned by the {@link LiveFigures} of the server. Reads no clock.
 *
 * <p>Invariant: {@code samples} is ordered by time and spans the window and at most one sample
 * more, once that much time has passed.
 */
final class ModelWindow {

  /** What quantiles, batch sizes and rates are taken over. */
  static final long WINDOW_NS = 10_000_000_000L;

  /** Points kept for the small curves. */
  static final int POINTS = 90;

  private record Sample(
      long atNs, Snapshot counters, LatencySnapshot requests, ObjectiveCounts objective) {}

  /** One point of the curves; {@code p99Ms} is negative while nothing was answered. */
  record Point(double perSecond, double p99Ms) {}

  private final ModelStats stats;
  private final Deque<Sample> samples = new ArrayDeque<>();
  private final Deque<Point> points = new ArrayDeque<>();
  private final Sample created;
  private Sample last;

  ModelWindow(ModelStats stats, long nowNs) {
    this.stats = stats;
    this.created = take(nowNs);
    this.last = created;
    samples.add(created);
  }

  /** Returns true if this is the window of these counters: a reload starts new ones. */
  @SuppressWarnings("ReferenceEquality")
  boolean isOf(ModelStats other) {
    return stats == other;
  }

  /** Takes a sample; does nothing if no time has passed. */
  void sample(long nowNs) {
    if (nowNs - last.atNs <= 0) {
      return;
    }
    Sample before = last;
    last = take(nowNs);
    samples.addLast(last);
    while (samples.size() > 2 && nowNs - second().atNs >= WINDOW_NS) {
      samples.removeFirst();
    }
    double seconds = (nowNs - before.atNs) / 1e9;
    long inferences = last.counters.inferenceCount() - before.counters.inferenceCount();
    points.addLast(new Point(inferences / seconds, quantileMs(before, 0.99).orElse(-1)));
    if (points.size() > POINTS) {
      points.removeFirst();
    }
  }

  double perSecond() {
    return rate(last.counters.inferenceCount() - first().counters.inferenceCount());
  }

  double failuresPerSecond() {
    return rate(last.counters.fail().count() - first().counters.fail().count());
  }

  /** Returns a quantile of request durations; empty if none was answered within the window. */
  OptionalDouble quantileMs(double q) {
    return quantileMs(first(), q);
  }

  /**
   * Returns the part of the requests that was answered inside the model's latency objective; empty
   * if there were none within the window.
   */
  OptionalDouble shareInObjective() {
    return last.objective.since(first().objective).share();
  }

  /** Returns items per execution; empty if nothing ran within the window. */
  OptionalDouble meanBatch() {
    long executions = last.counters.executionCount() - first().counters.executionCount();
    long items = items(last.counters) - items(first().counters);
    return executions > 0 ? OptionalDouble.of((double) items / executions) : OptionalDouble.empty();
  }

  List<Point> points() {
    return new ArrayList<>(points);
  }

  private OptionalDouble quantileMs(Sample since, double q) {
    OptionalDouble ns = last.requests.since(since.requests).quantileNs(q);
    return ns.isPresent() ? OptionalDouble.of(ns.getAsDouble() / 1e6) : ns;
  }

  private double rate(long count) {
    long elapsedNs = last.atNs - first().atNs;
    return elapsedNs > 0 ? count * 1e9 / elapsedNs : 0;
  }

  private Sample first() {
    Sample first = samples.peekFirst();
    return first == null ? created : first;
  }

  private Sample second() {
    var all = samples.iterator();
    all.next();
    return all.next();
  }

  private Sample take(long nowNs) {
    return new Sample(nowNs, stats.snapshot(), stats.histograms().request(), stats.objective());
  }

  private static long items(Snapshot counters) {
    return counters.batches().entrySet().stream()
        .mapToLong(batch -> batch.getKey() * batch.getValue().computeInfer().count())
        .sum();
  }
}
