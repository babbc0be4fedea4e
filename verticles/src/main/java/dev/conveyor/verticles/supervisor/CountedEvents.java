package dev.conveyor.verticles.supervisor;

import dev.conveyor.verticles.metrics.LifecycleCounters;
import dev.conveyor.verticles.metrics.LifecycleCounters.Event;

/** Counts what happens to models, and passes it on. Thread-safe if what it passes it to is. */
public final class CountedEvents implements SupervisorEvents {

  private final LifecycleCounters counters;
  private final SupervisorEvents next;

  public CountedEvents(LifecycleCounters counters, SupervisorEvents next) {
    this.counters = counters;
    this.next = next;
  }

  @Override
  public void onLoading(String model) {
    next.onLoading(model);
  }

  @Override
  public void onReady(
      String model, String version, InstancePlan plan, long reservedBytes, long tookNs) {
    counters.count(Event.LOADED, "model", model, "version", version);
    next.onReady(model, version, plan, reservedBytes, tookNs);
  }

  @Override
  public void onLoadFailed(String model, String reason) {
    // Without the name, which may be any that a client has made up.
    counters.count(Event.LOAD_FAILED);
    next.onLoadFailed(model, reason);
  }

  @Override
  public void onReloadFailed(String model, String reason) {
    counters.count(Event.LOAD_FAILED);
    next.onReloadFailed(model, reason);
  }

  @Override
  public void onUnloaded(String model) {
    next.onUnloaded(model);
  }

  @Override
  public void onCold(String model, long bytes) {
    next.onCold(model, bytes);
  }

  @Override
  public void onEvicted(String model, String reason) {
    counters.count(Event.EVICTED, "model", model);
    next.onEvicted(model, reason);
  }

  @Override
  public void onColdStart(String model) {
    next.onColdStart(model);
  }

  @Override
  public void onColdRequest(String model) {
    counters.count(Event.COLD_REQUEST, "model", model);
    next.onColdRequest(model);
  }

  @Override
  public void onColdRefused(String model, String reason) {
    counters.count(Event.COLD_REFUSED, "model", model, "reason", reason);
    next.onColdRefused(model, reason);
  }

  @Override
  public void onScaled(String model, String version, int from, int to, String reason) {
    counters.count(
        Event.SCALED, "model", model, "version", version, "direction", to > from ? "up" : "down");
    next.onScaled(model, version, from, to, reason);
  }

  @Override
  public void onPlaced(
      String model, String version, String device, PlacementEnd end, String reason) {
    counters.count(
        Event.PLACED, "model", model, "version", version, "device", device, "step", end.word());
    next.onPlaced(model, version, device, end, reason);
  }
}
