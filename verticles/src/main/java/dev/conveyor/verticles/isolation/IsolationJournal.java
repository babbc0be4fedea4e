package dev.conveyor.verticles.isolation;

import io.vertx.core.eventbus.EventBus;
import io.vertx.core.json.JsonObject;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts the decisions, and publishes each as JSON beside the events of models: {@code event} is
 * {@code isolation}; {@code model}, {@code version}, {@code decision}, {@code reason} and {@code
 * detail} say the rest.
 *
 * <p>Thread-safe. What concerns instances is logged too; requests are not, since clients could fill
 * the disk with them.
 */
public final class IsolationJournal implements IsolationLog {

  private static final Logger LOG = LoggerFactory.getLogger(IsolationJournal.class);

  /** What is counted together. */
  public record Key(String model, Decision decision, String reason) {}

  /** How often something was decided since the start. */
  public record Count(Key key, long count) {}

  private final EventBus bus;
  private final String address;
  private final Map<Key, LongAdder> counts = new ConcurrentHashMap<>();

  /**
   * Creates a journal.
   *
   * @param address where events are published
   */
  public IsolationJournal(EventBus bus, String address) {
    this.bus = bus;
    this.address = address;
  }

  @Override
  public void decided(
      String model, String version, Decision decision, String reason, String detail) {
    counts.computeIfAbsent(new Key(model, decision, reason), key -> new LongAdder()).increment();
    bus.publish(
        address,
        new JsonObject()
            .put("event", "isolation")
            .put("model", model)
            .put("version", version)
            .put("decision", decision.label())
            .put("reason", reason)
            .put("detail", detail));
    switch (decision) {
      case INSTANCE_QUARANTINED, INSTANCE_REPLACED, EXECUTION_CUT, MODEL_UNAVAILABLE ->
          LOG.warn("{}/{}: {} ({}): {}", model, version, decision.label(), reason, detail);
      default -> LOG.debug("{}/{}: {} ({}): {}", model, version, decision.label(), reason, detail);
    }
  }

  /** Returns every count, by model. */
  public List<Count> counts() {
    return counts.entrySet().stream()
        .map(entry -> new Count(entry.getKey(), entry.getValue().sum()))
        .sorted(
            Comparator.comparing((Count count) -> count.key().model())
                .thenComparing(count -> count.key().decision())
                .thenComparing(count -> count.key().reason()))
        .toList();
  }
}
