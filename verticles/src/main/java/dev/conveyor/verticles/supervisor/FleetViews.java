package dev.conveyor.verticles.supervisor;

import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.scheduler.SchedulerSnapshot;
import dev.conveyor.scheduler.placement.FleetView;
import dev.conveyor.scheduler.placement.LearnedTimes;
import dev.conveyor.scheduler.placement.ModelNeed.BatchTimes;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.ModelStats;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;

/**
 * Puts together what the {@link dev.conveyor.scheduler.placement.PlacementDriver} looks at: the
 * scheduler's counters, what it has learned, the ledgers, and where the crews are.
 *
 * <p>Thread-confined to the supervisor's context. What was learned is asked for a few models at a
 * time, those with the most news first: each answer takes a moment of the scheduler's thread.
 */
final class FleetViews {

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);
  private static final int MOST_PROFILES = 16;

  /** What is remembered of one crew between looks. */
  private static final class Learned {
    private Map<String, BatchTimes> times = Map.of();
    private long batches = -1;
  }

  private final Vertx vertx;
  private final Sites sites;
  private final Predicate<Crew> movable;
  private final Map<Crew, Learned> learned = new HashMap<>();

  /**
   * Creates it.
   *
   * @param movable whether a crew's model may come and go right now
   */
  FleetViews(Vertx vertx, Sites sites, Predicate<Crew> movable) {
    this.vertx = vertx;
    this.sites = sites;
    this.movable = movable;
  }

  /** Returns the name of a crew's version, the same for each of its deployments. */
  static String key(Crew crew) {
    return crew.version.served().name() + "/" + crew.version.served().version();
  }

  /** Looks at the GPUs that work, and the crews that are on one. */
  Future<FleetView> look(Collection<Crew> crews, long nowNs) {
    learned.keySet().retainAll(Set.copyOf(crews));
    return vertx
        .eventBus()
        .<SchedulerSnapshot>request(Addresses.SNAPSHOT, "", LOCAL)
        .compose(
            message -> {
              Map<String, SchedulerSnapshot.Model> byKey = new HashMap<>();
              message.body().models().forEach(model -> byKey.put(model.key(), model));
              List<Crew> there =
                  crews.stream()
                      .filter(crew -> byKey.containsKey(crew.version.served().key()))
                      .toList();
              return learn(there, byKey).map(v -> view(there, byKey, nowNs));
            });
  }

  private Future<Void> learn(List<Crew> crews, Map<String, SchedulerSnapshot.Model> byKey) {
    List<Future<Void>> asked =
        crews.stream()
            .filter(crew -> news(crew, byKey) > 0)
            .sorted(Comparator.<Crew>comparingLong(crew -> news(crew, byKey)).reversed())
            .limit(MOST_PROFILES)
            .map(crew -> learn(crew, batches(crew, byKey)))
            .toList();
    return asked.isEmpty() ? Future.succeededFuture() : Future.join(asked).mapEmpty();
  }

  private static long batches(Crew crew, Map<String, SchedulerSnapshot.Model> byKey) {
    return snapshot(crew, byKey).dispatchedBatches();
  }

  private static SchedulerSnapshot.Model snapshot(
      Crew crew, Map<String, SchedulerSnapshot.Model> byKey) {
    SchedulerSnapshot.Model model = byKey.get(crew.version.served().key());
    if (model == null) {
      throw new IllegalArgumentException(crew.version.served().key() + " is not in the snapshot");
    }
    return model;
  }

  private long news(Crew crew, Map<String, SchedulerSnapshot.Model> byKey) {
    return batches(crew, byKey) - learned.computeIfAbsent(crew, c -> new Learned()).batches;
  }

  private Future<Void> learn(Crew crew, long batches) {
    return vertx
        .eventBus()
        .<ModelProfile>request(Addresses.PROFILE, crew.version.served().key(), LOCAL)
        .map(
            message -> {
              Learned known = learned.computeIfAbsent(crew, c -> new Learned());
              known.batches = batches;
              known.times = times(message.body());
              return null;
            });
  }

  /** Of several devices of one kind the one that has run the most speaks for all. */
  private Map<String, BatchTimes> times(ModelProfile profile) {
    Map<String, BatchTimes> times = new HashMap<>();
    profile.devices().stream()
        .sorted(
            Comparator.<ModelProfile.OnDevice>comparingLong(d -> d.costs().accuracy().scored())
                .reversed())
        .forEach(
            on ->
                LearnedTimes.of(on.costs())
                    .ifPresent(ns -> times.putIfAbsent(sites.of(on.device()).kind(), ns)));
    return times;
  }

  private FleetView view(List<Crew> crews, Map<String, SchedulerSnapshot.Model> byKey, long nowNs) {
    List<FleetView.Device> devices = new ArrayList<>();
    Set<String> names = new TreeSet<>();
    for (Sites.Site gpu : sites.gpus()) {
      if (!gpu.isLost()) {
        names.add(gpu.device());
        devices.add(new FleetView.Device(gpu.device(), gpu.kind(), gpu.ledger().availableBytes()));
      }
    }
    List<FleetView.Model> models = new ArrayList<>();
    for (Crew crew : crews) {
      Set<String> on = new TreeSet<>(crew.devices());
      on.retainAll(names);
      if (!on.isEmpty()) {
        models.add(model(crew, snapshot(crew, byKey), on, devices.size()));
      }
    }
    return new FleetView(nowNs, devices, models);
  }

  private FleetView.Model model(
      Crew crew, SchedulerSnapshot.Model snapshot, Set<String> on, int devices) {
    ServedModel served = crew.version.served();
    double items = itemsPerRequest(served.stats().snapshot());
    return new FleetView.Model(
        key(crew),
        served.key(),
        bytes(crew, on),
        crew.loadNs(),
        largestBatch(served, items),
        served.config().extensions().serviceLevel().latencyObjective().toNanos(),
        arrivedRequests(snapshot, served.stats()),
        items,
        movable.test(crew),
        Math.max(1, Math.min(devices, mostDevices(crew, on.size()))),
        learned.computeIfAbsent(crew, c -> new Learned()).times,
        on);
  }

  /** Returns the most that a version holds on one of its devices. */
  private long bytes(Crew crew, Set<String> on) {
    return on.stream()
        .mapToLong(device -> Sites.heldBytes(sites.of(device).ledger(), key(crew) + "/"))
        .max()
        .orElse(0);
  }

  private static int largestBatch(ServedModel served, double itemsPerRequest) {
    boolean combines = served.config().dynamicBatching().isPresent();
    return Math.max(1, combines ? served.config().maxBatchSize() : (int) itemsPerRequest);
  }

  /** Returns how many devices there can be instances on, with as many more as there may be. */
  private static int mostDevices(Crew crew, int now) {
    InstancePlan plan = crew.version.plan();
    int each = crew.version.source().map(DeviceLoads.Source::count).orElse(1);
    int room = plan.max() - crew.slots() / plan.lanes();
    return crew.version.served().config().extensions().instances().isFixed()
        ? Integer.MAX_VALUE
        : now + Math.max(0, room) / each;
  }

  private static long arrivedRequests(SchedulerSnapshot.Model model, ModelStats stats) {
    return model.dispatchedRequests()
        + model.queuedRequests()
        + LoadFigures.refused(stats.refusals());
  }

  /** What was turned away is taken to be as large as what was answered. */
  private static double itemsPerRequest(ModelStats.Snapshot stats) {
    long answered = stats.success().count();
    return answered == 0 ? 1 : (double) stats.inferenceCount() / answered;
  }
}
