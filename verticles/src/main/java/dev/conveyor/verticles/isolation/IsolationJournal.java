package dev.conveyor.verticles.isolation;

import dev.conveyor.models.config.Isolation;
import dev.conveyor.models.process.Loss;
import dev.conveyor.verticles.ServerEvent;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBus;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
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

  /** Where it is told, in one word, of what a client was too slow with: see {@link #tell}. */
  private static final String SLOW_CLIENTS = "conveyor.isolation.slow-clients";

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);
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
    bus.<String>localConsumer(
        SLOW_CLIENTS,
        message ->
            decided("", "", Decision.CLIENT_CUT, message.body(), "it took longer than it may"));
  }

  /**
   * Tells the journal of the server that a client was given up. From any thread.
   *
   * @param what it was too slow with, in one word
   */
  public static void tell(EventBus bus, String what) {
    bus.publish(SLOW_CLIENTS, what, LOCAL);
  }

  /** Takes note that a GPU is lost to the models of this process, or of others. From any thread. */
  public void onDeviceLost(String device, Isolation isolation) {
    boolean apart = isolation == Isolation.PROCESS;
    decided(
        "",
        "",
        Decision.DEVICE_LOST,
        apart ? "to_workers" : "to_server",
        "%s is lost to models in %s"
            .formatted(device, apart ? "processes of their own" : "the server's process"));
  }

  /** Takes note that a worker is lost that had no model yet. From any thread. */
  public void onSpareLost(Loss loss) {
    String reason = loss.cause().name().toLowerCase(Locale.ROOT);
    decided("", "", Decision.SPARE_LOST, reason, loss.detail());
  }

  /** Takes note of how many directories and half-written files of crashed servers were removed. */
  public void onLeftovers(int directories, int parts) {
    if (directories + parts > 0) {
      decided(
          "",
          "",
          Decision.LEFTOVERS_REMOVED,
          "server_crashed",
          "%d directories of servers that are gone, %d half-written files"
              .formatted(directories, parts));
    }
  }

  @Override
  public void decided(
      String model, String version, Decision decision, String reason, String detail) {
    counts.computeIfAbsent(new Key(model, decision, reason), key -> new LongAdder()).increment();
    bus.publish(
        address,
        ServerEvent.ISOLATION
            .about(model)
            .put("version", version)
            .put("decision", decision.label())
            .put("reason", reason)
            .put("detail", detail));
    switch (decision) {
      case INSTANCE_QUARANTINED,
          INSTANCE_REPLACED,
          EXECUTION_CUT,
          MODEL_UNAVAILABLE,
          DEVICE_LOST,
          SPARE_LOST ->
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
