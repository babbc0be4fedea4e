package dev.conveyor.verticles.bench.load;

import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;
import org.HdrHistogram.Histogram;

/**
 * One point of a sweep: every model of it under one pattern, in one window.
 *
 * @param windowNs measured length of the window
 * @param serverCpuSeconds CPU time of the server process in the window, if it could be read
 * @param clientCpuSeconds CPU time of this process in the window
 */
public record LoadPoint(
    LoadPattern pattern,
    long windowNs,
    List<LaneResult> lanes,
    OptionalDouble serverCpuSeconds,
    OptionalDouble clientCpuSeconds) {

  public LoadPoint {
    lanes = List.copyOf(lanes);
  }

  public double inferencesPerSecond() {
    return inferences() * 1e9 / windowNs;
  }

  public double inferencesPerSecond(LaneResult lane) {
    return lane.inferences() * 1e9 / windowNs;
  }

  public long inferences() {
    return lanes.stream().mapToLong(LaneResult::inferences).sum();
  }

  public long failures() {
    return lanes.stream().mapToLong(LaneResult::failures).sum();
  }

  public Map<String, Long> errors() {
    Map<String, Long> all = new TreeMap<>();
    lanes.forEach(lane -> lane.errors().forEach((m, n) -> all.merge(m, n, Long::sum)));
    return all;
  }

  /** Returns the latencies of every model together, in nanoseconds. */
  public Histogram latencyNs() {
    return merged(lanes.stream().map(LaneResult::latencyNs).toList());
  }

  /** Returns server CPU time per inference, in microseconds, if both are known. */
  public OptionalDouble serverCpuMicrosPerInference() {
    return perInferenceMicros(serverCpuSeconds);
  }

  public OptionalDouble clientCpuMicrosPerInference() {
    return perInferenceMicros(clientCpuSeconds);
  }

  /** Adds histograms up; the result is a new one. */
  public static Histogram merged(List<Histogram> parts) {
    Histogram all = new Histogram(3);
    parts.forEach(all::add);
    return all;
  }

  private OptionalDouble perInferenceMicros(OptionalDouble seconds) {
    return seconds.isPresent() && inferences() > 0
        ? OptionalDouble.of(seconds.getAsDouble() * 1e6 / inferences())
        : OptionalDouble.empty();
  }
}
