package dev.conveyor.verticles.bus;

import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.SchedulerCommand;
import dev.conveyor.scheduler.decisions.Decision;
import dev.conveyor.verticles.ServerEvent;
import dev.conveyor.verticles.supervisor.InstancePlan;
import dev.conveyor.verticles.supervisor.SupervisorEvents;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.json.JsonObject;

/**
 * Publishes what happens to models as JSON on {@code <prefix>.events}, has the scheduler note what
 * was decided about them, and passes it on.
 *
 * <p>Thread-safe: no state.
 */
public final class EventPublisher implements SupervisorEvents {

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  private final EventBus bus;
  private final String address;
  private final SupervisorEvents next;

  public EventPublisher(EventBus bus, String prefix, SupervisorEvents next) {
    this.bus = bus;
    this.address = BusAddresses.events(prefix);
    this.next = next;
  }

  @Override
  public void onLoading(String model) {
    publish(ServerEvent.MODEL_LOADING.about(model));
    next.onLoading(model);
  }

  @Override
  public void onReady(
      String model, String version, InstancePlan plan, long reservedBytes, long tookNs) {
    publish(
        ServerEvent.MODEL_READY
            .about(model)
            .put("version", version)
            .put("instances", plan.instances())
            .put("reserved_bytes", reservedBytes)
            .put("load_ms", tookNs / 1_000_000));
    next.onReady(model, version, plan, reservedBytes, tookNs);
  }

  @Override
  public void onLoadFailed(String model, String reason) {
    publish(ServerEvent.MODEL_UNAVAILABLE.about(model).put("reason", reason));
    next.onLoadFailed(model, reason);
  }

  @Override
  public void onReloadFailed(String model, String reason) {
    publish(ServerEvent.MODEL_LOAD_FAILED.about(model).put("reason", reason));
    next.onReloadFailed(model, reason);
  }

  @Override
  public void onUnloaded(String model) {
    publish(ServerEvent.MODEL_UNAVAILABLE.about(model).put("reason", "unloaded"));
    next.onUnloaded(model);
  }

  @Override
  public void onCold(String model, long bytes) {
    publish(ServerEvent.MODEL_COLD.about(model).put("expected_bytes", bytes));
    next.onCold(model, bytes);
  }

  @Override
  public void onEvicted(String model, String reason) {
    publish(ServerEvent.MODEL_EVICTED.about(model).put("reason", reason));
    note(new SchedulerCommand.Note(Decision.Kind.EVICT, model, "", "", reason));
    next.onEvicted(model, reason);
  }

  @Override
  public void onColdStart(String model) {
    String reason = "a request came, and it was not in memory";
    note(new SchedulerCommand.Note(Decision.Kind.LOAD, model, "", "", reason));
    next.onColdStart(model);
  }

  @Override
  public void onColdRequest(String model) {
    // Clients decide how many there are; they are counted.
    next.onColdRequest(model);
  }

  @Override
  public void onColdRefused(String model, String reason) {
    next.onColdRefused(model, reason);
  }

  @Override
  public void onScaled(String model, String version, int from, int to, String reason) {
    publish(
        ServerEvent.INSTANCES_SCALED
            .about(model)
            .put("version", version)
            .put("from", from)
            .put("instances", to)
            .put("reason", reason));
    String step = "%d instances instead of %d: %s".formatted(to, from, reason);
    note(new SchedulerCommand.Note(Decision.Kind.SCALE, model, version, "", step));
    next.onScaled(model, version, from, to, reason);
  }

  @Override
  public void onPlaced(
      String model, String version, String device, PlacementEnd end, String reason) {
    publish(
        ServerEvent.MODEL_PLACED
            .about(model)
            .put("version", version)
            .put("device", device)
            .put("step", end.word())
            .put("reason", reason));
    String step = "%s %s: %s".formatted(end.verb(), device, reason);
    note(new SchedulerCommand.Note(Decision.Kind.PLACE, model, version, device, step));
    next.onPlaced(model, version, device, end, reason);
  }

  /** Puts a decision among those that the scheduler tells of. */
  private void note(SchedulerCommand.Note note) {
    bus.send(Addresses.CONTROL, note, LOCAL);
  }

  private void publish(JsonObject event) {
    bus.publish(address, event);
  }
}
