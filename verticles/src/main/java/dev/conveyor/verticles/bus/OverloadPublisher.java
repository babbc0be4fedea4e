package dev.conveyor.verticles.bus;

import dev.conveyor.models.RefusalReason;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.json.JsonObject;
import java.util.Map;

/**
 * Publishes on {@code <prefix>.events} that a model turns requests away, and that it has stopped.
 *
 * <p>Thread-safe: no state.
 */
public final class OverloadPublisher {

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
    bus.publish(address, event("overload", model, version).put("refused", counts));
  }

  /** Publishes {@code overload_ended}. */
  public void overloadEnded(String model, String version) {
    bus.publish(address, event("overload_ended", model, version));
  }

  private static JsonObject event(String event, String model, String version) {
    return new JsonObject().put("event", event).put("model", model).put("version", version);
  }
}
