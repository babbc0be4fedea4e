package dev.conveyor.models.tensorrt;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The time that each layer of an engine takes, summed over batches. Thread-safe. */
final class LayerTimes {

  @GuardedBy("this")
  private final Map<String, Sum> sums = new LinkedHashMap<>();

  /**
   * One layer.
   *
   * @param runs how often it was timed
   * @param totalMs time of all runs
   */
  record Layer(String name, long runs, double totalMs) {
    double meanMs() {
      return totalMs / runs;
    }
  }

  private static final class Sum {
    private long runs;
    private double totalMs;
  }

  synchronized void add(String layer, float milliseconds) {
    Sum sum = sums.computeIfAbsent(layer, name -> new Sum());
    sum.runs++;
    sum.totalMs += milliseconds;
  }

  /** Returns the layers, the most expensive first. */
  synchronized List<Layer> slowestFirst() {
    List<Layer> layers = new ArrayList<>();
    sums.forEach((name, sum) -> layers.add(new Layer(name, sum.runs, sum.totalMs)));
    layers.sort((a, b) -> Double.compare(b.totalMs, a.totalMs));
    return layers;
  }
}
