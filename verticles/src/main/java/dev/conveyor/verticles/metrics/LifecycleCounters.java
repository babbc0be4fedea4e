package dev.conveyor.verticles.metrics;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * Counts what happens to models as a whole: that they come, go, and are asked for while they are
 * not there. Thread-safe.
 */
public final class LifecycleCounters {

  /** What is counted, each a family of its own. */
  public enum Event {
    LOADED("conveyor_model_loads_total", "Versions of models that came into service"),
    LOAD_FAILED("conveyor_model_load_failures_total", "Loads that failed, of all models"),
    EVICTED("conveyor_model_evictions_total", "Times that a model left memory for another one"),
    COLD_REQUEST(
        "conveyor_cold_requests_total", "Requests that waited for their model to be loaded"),
    COLD_REFUSED(
        "conveyor_cold_requests_refused_total",
        "Requests that were turned away because their model was not in memory, by reason"),
    SCALED("conveyor_instance_steps_total", "Instances that came or went with the load"),
    PLACED(
        "conveyor_placement_steps_total",
        "Models that were loaded onto one more device, failed to be, or left one");

    private final String family;
    private final String help;

    Event(String family, String help) {
      this.family = family;
      this.help = help;
    }
  }

  private final Map<Event, Map<String, LongAdder>> counts = new ConcurrentHashMap<>();

  /**
   * Counts one event.
   *
   * @param labels names and values by turns, few of them different: what clients make up is none
   */
  public void count(Event event, String... labels) {
    counts
        .computeIfAbsent(event, e -> new ConcurrentHashMap<>())
        .computeIfAbsent(PrometheusText.labels(labels), l -> new LongAdder())
        .increment();
  }

  void write(PrometheusText out) {
    for (Event event : Event.values()) {
      out.counter(event.family, event.help);
      new TreeMap<>(counts.getOrDefault(event, Map.of()))
          .forEach((labels, count) -> out.sample(labels, count.sum()));
    }
  }
}
