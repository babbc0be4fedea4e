package dev.conveyor.verticles.bus;

import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.SchedulerCommand.Note;
import dev.conveyor.scheduler.decisions.Decision;
import dev.conveyor.verticles.ServerEvent;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.json.JsonObject;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Publishes on {@code <prefix>.events} that a model turns requests away, and that it has stopped,
 * and notes both among the decisions of the scheduler.
 *
 * <p>Thread-safe: no state.
 */
public final class OverloadPublisher {

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  private final EventBus bus;
  private final String address;

  public OverloadPublisher(EventBus bus, String prefix) {
    this.bus = bus;
    this.address = BusAddresses.events(prefix);
  }

  /** Publishes {@code overload} with the refusals that made it one, by reason. */
  public void overload(String model, String version, Map<RefusalReason, Long> refused) {
    JsonObject counts = new JsonObject();
    refused.forEach((reason, count) -> counts.put(reason.label(), count));
    bus.publish(address, event(ServerEvent.OVERLOAD, model, version).put("refused", counts));
    note(model, version, "begins to turn requests away: " + words(refused));
  }

  /**
   * Publishes {@code overload_ended}.
   *
   * @param refused how many since it began, by reason
   */
  public void overloadEnded(String model, String version, Map<RefusalReason, Long> refused) {
    bus.publish(address, event(ServerEvent.OVERLOAD_ENDED, model, version));
    note(model, version, "turns nobody away any more, after " + words(refused));
  }

  private void note(String model, String version, String reason) {
    bus.send(Addresses.CONTROL, new Note(Decision.Kind.REFUSE, model, version, "", reason), LOCAL);
  }

  private static String words(Map<RefusalReason, Long> refused) {
    return refused.entrySet().stream()
        .map(entry -> entry.getValue() + " for " + entry.getKey().label())
        .collect(Collectors.joining(", "));
  }

  private static JsonObject event(ServerEvent event, String model, String version) {
    return event.about(model).put("version", version);
  }
}
