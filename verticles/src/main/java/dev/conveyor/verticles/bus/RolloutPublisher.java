package dev.conveyor.verticles.bus;

import dev.conveyor.verticles.ServerEvent;
import dev.conveyor.verticles.rollout.TrialTraffic;
import io.vertx.core.eventbus.EventBus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes on {@code <prefix>.events} that a version that was tried is taken out of service.
 *
 * <p>Thread-safe: no state.
 */
public final class RolloutPublisher implements TrialTraffic.Listener {

  private static final Logger LOG = LoggerFactory.getLogger(RolloutPublisher.class);

  private final EventBus bus;
  private final String address;

  public RolloutPublisher(EventBus bus, String prefix) {
    this.bus = bus;
    this.address = BusAddresses.events(prefix);
  }

  /** Publishes {@code rollout_rolled_back} with the reason. */
  @Override
  public void onRolledBack(String model, String version, String reason) {
    LOG.warn("{}: version {} is rolled back: {}", model, version, reason);
    bus.publish(
        address,
        ServerEvent.ROLLOUT_ROLLED_BACK.about(model).put("version", version).put("reason", reason));
  }
}
