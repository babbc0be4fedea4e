package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.residency.RequestForecast;
import dev.conveyor.scheduler.residency.ResidencyTable;
import dev.conveyor.scheduler.residency.Room;
import dev.conveyor.verticles.ModelDoor;
import dev.conveyor.verticles.ModelUsage;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.ModelStats;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The models that need not be in memory: makes room for one by evicting others, and answers for
 * those that are cold. The decisions are those of {@link ResidencyTable}; this feeds it with
 * requests, times and what the ledger says, and carries them out.
 *
 * <p>Thread-confined to the supervisor's context.
 */
final class Residents {

  /** Longest that a load waits for models that are in use. */
  private static final long MAX_WAIT_FOR_ROOM_NS = TimeUnit.SECONDS.toNanos(10);

  private static final long LONGEST_NAP_MS = 100;

  private final Vertx vertx;
  private final Sites sites;
  private final MemoryBudget budget;

  /** By model, pinned ones too, and GPU: what it held there last. */
  private final Map<String, Map<String, Long>> onGpus = new HashMap<>();

  private final ResidencyTable table = new ResidencyTable(new RequestForecast());
  private final Map<String, List<ServedModel>> versions = new HashMap<>();
  private final Predicate<String> changing;
  private final BiFunction<String, String, Future<Void>> evict;
  private long evictions;
  private long coldStarts;

  /**
   * Creates the keeper.
   *
   * @param changing whether a model is being loaded or unloaded
   * @param evict takes a model out of memory, after its last request, for a reason
   */
  Residents(
      Vertx vertx,
      Sites sites,
      Predicate<String> changing,
      BiFunction<String, String, Future<Void>> evict) {
    this.vertx = vertx;
    this.sites = sites;
    this.budget = sites.cpu().ledger();
    this.changing = changing;
    this.evict = evict;
  }

  /** Takes in a model that is not loaded. */
  void register(String name, List<ServedModel> cold, long expectedBytes) {
    versions.put(name, cold);
    table.register(name, expectedBytes);
    tellDoors(name, System.nanoTime());
  }

  /** Says at the doors of a model that is not in memory when it could answer. */
  private void tellDoors(String name, long nowNs) {
    boolean isUnderWay = table.isUnderWay(name);
    long inNs = runNs(name) + (isUnderWay ? table.readyInNs(name, nowNs) : table.loadNs(name));
    ModelDoor.ColdStart start =
        isUnderWay ? ModelDoor.ColdStart.at(nowNs + inNs) : ModelDoor.ColdStart.in(inNs);
    cold(name).forEach(version -> version.door().expect(start));
  }

  /** A load has ended, sooner or later than those who wait behind it were told. */
  private void tellWaiting(long nowNs) {
    table.underWay().forEach(name -> tellDoors(name, nowNs));
  }

  /** Lets go of a model that is not served any more. */
  void remove(String name) {
    onGpus.remove(name);
    letGo(name);
  }

  private void letGo(String name) {
    versions.remove(name);
    long now = System.nanoTime();
    table.remove(name, now);
    tellWaiting(now);
  }

  boolean contains(String name) {
    return table.contains(name);
  }

  /** Returns the versions of a model as they wait for a request. */
  List<ServedModel> cold(String name) {
    return versions.getOrDefault(name, List.of());
  }

  /** Says why a request should not wait for a model; empty if it should. */
  Optional<InferenceException> refusal(String name, long deadlineNs) {
    long now = System.nanoTime();
    long leftNs = deadlineNs == InferenceRequest.NO_DEADLINE ? Long.MAX_VALUE : deadlineNs - now;
    return table.refusal(name, leftNs, runNs(name), now).map(r -> r.asFailure(name));
  }

  /** Returns how long it takes until a model serves, as far as is known. */
  long readyInNs(String name) {
    return table.readyInNs(name, System.nanoTime());
  }

  /** A request has the model loaded. */
  void onColdStart(String name) {
    coldStarts++;
    long now = System.nanoTime();
    table.onQueued(name, now);
    tellDoors(name, now);
  }

  void onLoading(String name) {
    if (table.contains(name)) {
      long now = System.nanoTime();
      table.onLoading(name, now);
      tellDoors(name, now);
    }
  }

  /** Takes note that a model serves; one that may not be evicted is none of this. */
  void onServing(String name, List<ServedModel> loaded, long tookNs) {
    Map<String, Long> heldOn = new HashMap<>();
    for (Sites.Site gpu : sites.gpus()) {
      long held = Sites.heldBytes(gpu.ledger(), name + "/");
      if (held > 0) {
        heldOn.put(gpu.device(), held);
      }
    }
    onGpus.put(name, heldOn);
    if (loaded.stream().anyMatch(ServedModel::isEvictable)) {
      onLoaded(name, loaded, tookNs);
    } else {
      letGo(name);
    }
  }

  /** What it holds is in the ledger. */
  private void onLoaded(String name, List<ServedModel> loaded, long tookNs) {
    versions.put(name, loaded.stream().map(ServedModel::cold).toList());
    long now = System.nanoTime();
    table.register(name, 0);
    table.onQueued(name, now);
    table.onLoaded(name, Sites.heldBytes(budget, name + "/"), tookNs, now);
    tellWaiting(now);
  }

  /**
   * Takes note of a failure; returns how long the model will not be tried again.
   *
   * @param noRoom whether nothing is wrong with it but that others needed the memory
   */
  long onLoadFailed(String name, String reason, boolean noRoom) {
    long now = System.nanoTime();
    long backoffNs =
        noRoom ? table.onNoRoom(name, reason, now) : table.onLoadFailed(name, reason, now);
    tellDoors(name, now);
    tellWaiting(now);
    return backoffNs;
  }

  void onLeaving(String name) {
    table.onLeaving(name);
    evictions++;
  }

  void onGone(String name) {
    if (table.contains(name)) {
      table.onGone(name);
      tellDoors(name, System.nanoTime());
    }
  }

  /** Returns whether a ledger, by its name, is one that evictions make room in. */
  boolean isLedger(String name) {
    return sites.isCpu(name) || sites.gpus().stream().anyMatch(gpu -> gpu.device().equals(name));
  }

  long expectedBytes(String name) {
    return table.expectedBytes(name);
  }

  /**
   * Returns what a load needs, by the name of the ledger: on GPUs what the model held there last.
   *
   * @param atLeastBytes what it needs on the host if nothing better is known
   */
  Map<String, Long> needs(String name, long atLeastBytes) {
    Map<String, Long> needs = new HashMap<>(onGpus.getOrDefault(name, Map.of()));
    needs.put(budget.device(), Math.max(atLeastBytes, table.expectedBytes(name)));
    return needs;
  }

  /**
   * Returns what a load needs that found out on the way that room for {@code needs} is not enough.
   * What it lacked may not be the last that it asks for, so it is half as much again at least.
   *
   * @param refusal by one of the ledgers; nothing is left of the load
   */
  Map<String, Long> raised(Map<String, Long> needs, BudgetExceededException refusal) {
    MemoryBudget ledger = sites.of(refusal.ledger()).ledger();
    long lacked = ledger.availableBytes() + refusal.missingBytes();
    long known = needs.getOrDefault(refusal.ledger(), 0L);
    Map<String, Long> raised = new HashMap<>(needs);
    raised.put(refusal.ledger(), Math.min(Math.max(lacked, known * 3 / 2), ledger.capacityBytes()));
    return raised;
  }

  /**
   * Evicts until a model fits, on the host and on the GPUs that it is known to need room on. Where
   * a GPU has none the load tells: it may take the CPU.
   *
   * @param needs as {@link #needs} and {@link #raised} tell
   * @param refused the GPU without which the last load failed: to load again is pointless if it has
   *     no room now; null if there was none
   */
  Future<Void> makeRoom(String name, Map<String, Long> needs, @Nullable String refused) {
    Future<Void> room = makeRoom(name, budget, needs.getOrDefault(budget.device(), 0L));
    for (Sites.Site gpu : sites.gpus()) {
      Long need = needs.get(gpu.device());
      if (need != null && !gpu.isLost()) {
        room =
            room.compose(
                v -> {
                  Future<Void> there = makeRoom(name, gpu.ledger(), need);
                  return gpu.device().equals(refused) ? there : there.otherwiseEmpty();
                });
      }
    }
    return room;
  }

  private Future<Void> makeRoom(String name, MemoryBudget ledger, long needed) {
    Promise<Void> room = Promise.promise();
    makeRoom(name, ledger, needed, System.nanoTime() + MAX_WAIT_FOR_ROOM_NS, room);
    return room.future();
  }

  private void makeRoom(
      String name, MemoryBudget ledger, long needed, long giveUpNs, Promise<Void> done) {
    takeNotes();
    long now = System.nanoTime();
    Room room =
        table.room(
            name, needed, ledger.availableBytes(), other -> held(other, ledger), this::isBusy, now);
    if (room instanceof Room.Evict plan && plan.victims().isEmpty()) {
      done.complete();
    } else if (room instanceof Room.Evict plan) {
      String reason = "'%s' needs %d bytes".formatted(name, needed);
      List<Future<Void>> leaving =
          plan.victims().stream().map(victim -> evict.apply(victim, reason)).toList();
      Future.join(leaving).onComplete(gone -> makeRoom(name, ledger, needed, giveUpNs, done));
    } else if (room instanceof Room.Later later && giveUpNs - now > 0) {
      long napMs = TimeUnit.NANOSECONDS.toMillis(later.afterNs()) + 1;
      vertx.setTimer(
          Math.min(napMs, LONGEST_NAP_MS), id -> makeRoom(name, ledger, needed, giveUpNs, done));
    } else {
      String reason =
          room instanceof Room.Later later ? later.reason() : ((Room.Never) room).reason();
      done.fail(
          new InferenceException(
              ErrorCode.OUT_OF_MEMORY,
              "Model '%s' does not fit into the memory of %s: it %s, the budget is %d; held: %s"
                  .formatted(
                      name,
                      ledger.device(),
                      reason,
                      ledger.capacityBytes(),
                      ledger.largestHolders())));
    }
  }

  private long held(String name, MemoryBudget ledger) {
    return ledger == budget ? table.expectedBytes(name) : Sites.heldBytes(ledger, name + "/");
  }

  /** Returns every evictable model. */
  List<ResidencyTable.Line> lines() {
    takeNotes();
    return table.lines();
  }

  long evictions() {
    return evictions;
  }

  long coldStarts() {
    return coldStarts;
  }

  /** Tells the table what came, and what models hold by now: workspaces grow. */
  private void takeNotes() {
    Map<String, Long> held = new HashMap<>();
    budget
        .holders()
        .forEach((owner, bytes) -> held.merge(owner.split("/", 2)[0], bytes, Long::sum));
    versions.forEach(
        (name, list) -> {
          long requests = 0;
          for (ModelUsage usage : usages(list)) {
            requests += usage.takeRequests();
          }
          table.onRequests(name, requests);
        });
    for (ResidencyTable.Line line : table.lines()) {
      if (line.state() == ResidencyTable.State.RESIDENT) {
        table.register(line.model(), held.getOrDefault(line.model(), 0L));
      }
    }
  }

  private boolean isBusy(String name) {
    return changing.test(name)
        || usages(versions.getOrDefault(name, List.of())).stream().anyMatch(ModelUsage::isBusy);
  }

  private static List<ModelUsage> usages(List<ServedModel> versions) {
    List<ModelUsage> usages = new ArrayList<>();
    versions.forEach(version -> usages.add(version.usage()));
    return usages;
  }

  /** Returns the mean time of a run so far; 0 if there was none. */
  private long runNs(String name) {
    List<ServedModel> list = cold(name);
    if (list.isEmpty()) {
      return 0;
    }
    ModelStats.Snapshot stats = list.get(list.size() - 1).stats().snapshot();
    return stats.inferenceCount() == 0 ? 0 : stats.computeInfer().ns() / stats.inferenceCount();
  }
}
