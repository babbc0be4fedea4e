package dev.conveyor.verticles.profile;

import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * Asks the scheduler every few seconds what batches cost, and keeps the answers for whoever shows
 * them. Thread-safe: written on event loops, read from anywhere.
 */
public final class ProfileSnapshots implements Supplier<Map<String, ModelProfile>> {

  private static final long PERIOD_MS = 2000;
  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  private final Vertx vertx;
  private final ModelCatalog catalog;
  private final Map<String, ModelProfile> latest = new ConcurrentHashMap<>();
  private long timer = -1;

  public ProfileSnapshots(Vertx vertx, ModelCatalog catalog) {
    this.vertx = vertx;
    this.catalog = catalog;
  }

  /** Starts asking. Called, as {@link #stop}, on one context. */
  public void start() {
    timer = vertx.setPeriodic(PERIOD_MS, id -> ask());
  }

  public void stop() {
    vertx.cancelTimer(timer);
  }

  @Override
  public Map<String, ModelProfile> get() {
    return latest;
  }

  private void ask() {
    Set<String> served = new HashSet<>();
    for (ServedModel model : catalog.all()) {
      served.add(model.key());
      vertx
          .eventBus()
          .<ModelProfile>request(Addresses.PROFILE, model.key(), LOCAL)
          .onSuccess(reply -> latest.put(model.key(), reply.body()));
    }
    latest.keySet().retainAll(served);
  }
}
