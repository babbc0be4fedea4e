package dev.conveyor.verticles;

import dev.conveyor.models.RefusalReason;
import dev.conveyor.verticles.bus.OverloadPublisher;
import io.vertx.core.Vertx;
import java.util.Map;

/**
 * Looks once a second whether models turn requests away, and publishes when that changes.
 * Thread-confined: the context that started it.
 */
final class OverloadEvents implements OverloadWatch.Listener {

  private static final long PERIOD_MS = 1000;

  private final Vertx vertx;
  private final OverloadPublisher publisher;
  private final OverloadWatch watch;
  private long timer = -1;

  OverloadEvents(Vertx vertx, ModelCatalog catalog, OverloadPublisher publisher) {
    this.vertx = vertx;
    this.publisher = publisher;
    this.watch = new OverloadWatch(catalog, this);
  }

  void start() {
    timer = vertx.setPeriodic(PERIOD_MS, id -> watch.look());
  }

  void stop() {
    vertx.cancelTimer(timer);
  }

  @Override
  public void onOverload(ServedModel model, Map<RefusalReason, Long> refused) {
    publisher.overload(model.name(), model.version(), refused);
  }

  @Override
  public void onOverloadEnded(ServedModel model, Map<RefusalReason, Long> refused) {
    publisher.overloadEnded(model.name(), model.version(), refused);
  }
}
