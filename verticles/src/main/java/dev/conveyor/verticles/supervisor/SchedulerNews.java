package dev.conveyor.verticles.supervisor;

import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.HedgeDecision;
import dev.conveyor.scheduler.RetryDecision;
import dev.conveyor.scheduler.RoomLent;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.isolation.Decision;
import dev.conveyor.verticles.isolation.IsolationLog;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.MessageConsumer;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Writes into the log of isolation decisions what the scheduler decided by itself: retries, hedges,
 * and room that it lent.
 *
 * <p>Thread-confined to the context that it is made on.
 */
final class SchedulerNews {

  private final IsolationLog log;
  private final Function<String, @Nullable Crew> crews;
  private final List<MessageConsumer<?>> consumers;

  /**
   * Begins to listen.
   *
   * @param crews finds the crew of a deployment by its key; null if it is gone
   */
  SchedulerNews(Vertx vertx, IsolationLog log, Function<String, @Nullable Crew> crews) {
    this.log = log;
    this.crews = crews;
    this.consumers =
        List.of(
            vertx
                .eventBus()
                .<RetryDecision>localConsumer(Addresses.RETRIES, m -> onRetry(m.body())),
            vertx.eventBus().<RoomLent>localConsumer(Addresses.LENT, m -> onLent(m.body())),
            vertx
                .eventBus()
                .<HedgeDecision>localConsumer(Addresses.HEDGES, m -> onHedge(m.body())));
  }

  /** Hears of nothing any more. */
  void close() {
    consumers.forEach(MessageConsumer::unregister);
  }

  private void onRetry(RetryDecision retry) {
    String detail = "its instance was lost: " + retry.detail();
    String refusal = retry.refusal();
    switch (refusal) {
      case "" -> decided(retry.key(), Decision.REQUEST_RETRIED, "instance_lost", detail);
      case RetryDecision.TO_BLAME ->
          decided(retry.key(), Decision.REQUEST_BLAMED, "instance_lost", detail);
      default -> decided(retry.key(), Decision.RETRY_REFUSED, refusal, detail);
    }
  }

  private void onLent(RoomLent lent) {
    decided(
        lent.key(),
        Decision.ROOM_LENT,
        "slow",
        "instance %d: an execution runs for %d ms"
            .formatted(lent.index(), lent.ageNs() / 1_000_000));
  }

  private void onHedge(HedgeDecision hedge) {
    switch (hedge.outcome()) {
      case HEDGED -> decided(hedge.key(), Decision.REQUEST_HEDGED, "slow", hedge.detail());
      case WON -> decided(hedge.key(), Decision.HEDGE_WON, "first", hedge.detail());
      case REFUSED -> decided(hedge.key(), Decision.HEDGE_REFUSED, "budget", hedge.detail());
    }
  }

  private void decided(String key, Decision decision, String reason, String detail) {
    Crew crew = crews.apply(key);
    if (crew != null) {
      ServedModel served = crew.version.served();
      log.decided(served.name(), served.version(), decision, reason, detail);
    }
  }
}
