package dev.conveyor.scheduler;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.scheduler.admission.AdmissionRule;
import dev.conveyor.scheduler.admission.LatencyMargin;
import dev.conveyor.scheduler.admission.LoadCell;
import dev.conveyor.scheduler.admission.ModelLoad;
import dev.conveyor.scheduler.admission.StandingQueueGuard;
import dev.conveyor.scheduler.batching.Ahead;
import dev.conveyor.scheduler.batching.Batcher;
import dev.conveyor.scheduler.batching.QueueCounts;
import dev.conveyor.scheduler.batching.Rejection;
import dev.conveyor.scheduler.batching.RequestQueue;
import dev.conveyor.scheduler.fairness.LevelShares;
import dev.conveyor.scheduler.fairness.TenantShares;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who of the requests for one model gets into its queue, and in what order of tenants.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}. What it knows is left in a {@link LoadCell},
 * from which the front ends refuse what has no chance before they read it.
 */
final class ModelAdmission {

  private static final long SHED_AGAIN_NS = 1_000_000;

  /** The names of more tenants than this are not kept, and pass the door. */
  private static final int MOST_SHUT_OUT = 16;

  /** A tenant may be so much of a full batch ahead of its share, where others want theirs. */
  private static final double WINDOW_BATCHES = 0.5;

  /** Others want their share if they have used the model within so many objectives. */
  private static final int LATELY_OBJECTIVES = 10;

  private final ModelState model;
  private final LevelShares shares;
  private final LatencyMargin margin = new LatencyMargin();
  private LoadCell cell = new LoadCell();

  /** A cell that nobody has asked for is read by nobody, as in simulations. */
  private boolean isRead;

  private @Nullable StandingQueueGuard guard;
  private boolean hasTenants;

  /**
   * Tenants to whom nothing gave way in the full queue. What they send later has no better claim:
   * their places in the fair order go up, and the last in the queue only down, until it has room.
   */
  private Set<String> shutOut = Set.of();

  /**
   * What went before those requests that were refused for it, by tenant. Until a batch starts, or
   * something leaves the queue otherwise, no less goes before the next one of the tenant.
   */
  private Map<String, Ahead> found = Map.of();

  ModelAdmission(ModelState model, Tenants tenants) {
    this.model = model;
    this.shares = new LevelShares(tenants);
    replan(List.of());
  }

  /** Says where the load is to be published. */
  void publishTo(LoadCell cell) {
    this.cell = cell;
    this.isRead = true;
  }

  /** Returns true if front ends kept requests out within the last objective. */
  boolean hasRefusedLately(long nowNs) {
    return cell.hasRefusedWithin(model.plan.serviceLevel().latencyObjective().toNanos(), nowNs);
  }

  /**
   * Takes over the settings of the model's plan, which may have other levels.
   *
   * @param queued what will be queued again, in order; gets its places anew
   */
  void replan(List<InferenceRequest> queued) {
    queued.forEach(this::left);
    for (InferenceRequest request : queued) {
      tag(request);
    }
    Admission admission = model.plan.admission();
    guard =
        admission.targetQueueDelay().isZero()
            ? null
            : new StandingQueueGuard(
                admission.targetQueueDelay().toNanos(), admission.overloadInterval().toNanos());
  }

  /** Returns null if the request may be queued, otherwise why not. */
  @Nullable InferenceException check(InferenceRequest request, long nowNs) {
    meet(request.tenant());
    RequestQueue queue = model.batcher.queue();
    if (guard != null && queue.requests() == 0) {
      guard.onEmpty();
    }
    long deadlineNs = queue.deadlineNs(request);
    boolean hasDeadline = deadlineNs != InferenceRequest.NO_DEADLINE;
    if (queue.requests() == 0 && model.running == 0) {
      // Taken whatever is predicted, but what becomes of it tells how good predictions are.
      if (hasDeadline) {
        predict(request, load(request, nowNs), nowNs);
      }
      return null;
    }
    InferenceException overShare = overShare(request, nowNs);
    if (overShare != null) {
      return overShare;
    }
    int level = queue.counts().level(request);
    boolean canPredict = hasDeadline && !ModelLoads.isServable(model, level);
    if (!canPredict && guard == null && model.plan.admission().maxQueueBytes() == 0) {
      return null;
    }
    TenantShares atLevel = shares.of(level);
    long tagNs = displaces() ? atLevel.nextTagNs(request.tenant()) : 0;
    Ahead ahead = displaces() ? queue.ahead(level, tagNs) : null;
    ModelLoad load = load(request, nowNs).behind(ahead);
    InferenceException refusal = refusal(request, load, deadlineNs, nowNs);
    if (refusal != null && ahead != null) {
      refusedBehind(ahead, request.tenant());
    } else if (hasDeadline && (ahead == null || tagNs <= atLevel.virtualTagNs())) {
      // What others go before that come later is late by no fault of the prediction.
      predict(request, load, nowNs);
    }
    return refusal;
  }

  private @Nullable InferenceException refusal(
      InferenceRequest request, ModelLoad load, long deadlineNs, long nowNs) {
    return AdmissionRule.check(
        model.plan.name(), load, request.batchSize(), request.inputBytes(), deadlineNs, nowNs);
  }

  private static void predict(InferenceRequest request, ModelLoad load, long nowNs) {
    if (load.isKnown()) {
      request.notes().predictedEndNs = nowNs + load.latencyNs(request.batchSize(), nowNs);
    }
  }

  private void refusedBehind(Ahead ahead, String tenant) {
    boolean isKept = found.size() < MOST_SHUT_OUT || found.containsKey(tenant);
    if (isRead && isKept && model.batcher.queue().counts().lowestLevel() == 1) {
      Map<String, Ahead> more = new HashMap<>(found);
      more.put(tenant, ahead);
      found = more;
    }
  }

  /** Whoever is the first to say who it is finds all that waits to be of one other tenant. */
  private void meet(String tenant) {
    if (!hasTenants && !tenant.isEmpty()) {
      hasTenants = true;
      if (sharesRoom()) {
        model.batcher.queue().forEach(this::tag);
      }
    }
  }

  /**
   * Returns how many bytes must leave the queue for a request to fit in; 0 or less for none. An
   * empty queue takes a request of any size.
   */
  long excessBytes(InferenceRequest request) {
    long maxQueueBytes = model.plan.admission().maxQueueBytes();
    QueueCounts counts = model.batcher.queue().counts();
    int level = counts.level(request);
    return maxQueueBytes == 0 || counts.requestsUpTo(level) == 0
        ? 0
        : request.inputBytes() - (maxQueueBytes - counts.bytesUpTo(level));
  }

  /** Returns why a request is refused for whose bytes nothing gave way. */
  InferenceException tooManyBytes(InferenceRequest request, long nowNs) {
    QueueCounts counts = model.batcher.queue().counts();
    int level = counts.level(request);
    Ahead ahead = model.batcher.queue().ahead(level, request.notes().fairTagNs);
    refusedBehind(
        new Ahead(ahead.requests(), ahead.items(), counts.bytesUpTo(level)), request.tenant());
    return Objects.requireNonNull(
        refusal(request, load(request, nowNs), InferenceRequest.NO_DEADLINE, nowNs));
  }

  /**
   * With an objective requests leave by deadline, whoever sent them. So that under overload not
   * everybody loses the same part, who is ahead of his share by more than a window is held to half
   * the objective: what he queues leaves the others time to meet theirs.
   */
  private @Nullable InferenceException overShare(InferenceRequest request, long nowNs) {
    long objectiveNs = model.plan.serviceLevel().latencyObjective().toNanos();
    if (!hasTenants || objectiveNs == 0) {
      return null;
    }
    double windowNs = WINDOW_BATCHES * ModelLoads.itemNs(model) * model.plan.largestBatch();
    int level = model.batcher.queue().counts().level(request);
    double aheadNs =
        shares.of(level).aheadNs(request.tenant(), (double) LATELY_OBJECTIVES * objectiveNs);
    return aheadNs > windowNs && ModelLoads.latencyNs(model, request, nowNs) > objectiveNs / 2
        ? Refusals.overShare(model.plan, request, aheadNs - windowNs)
        : null;
  }

  /** Gives a request its place among those of other tenants; called before it is queued. */
  void tag(InferenceRequest request) {
    tag(request, model.batcher.queue().counts().level(request));
  }

  private void tag(InferenceRequest request, int level) {
    if (hasTenants && !model.plan.preservesOrdering()) {
      SchedulingNotes notes = request.notes();
      TenantShares atLevel = shares.of(level);
      notes.chargedNs = ModelLoads.itemNs(model) * request.batchSize();
      notes.fairTagNs = atLevel.charge(request.tenant(), notes.chargedNs);
      notes.chargedTo = atLevel;
    }
  }

  /** Gives a request its place at the level that it has aged into. */
  void aged(InferenceRequest request, int level) {
    dropped(request);
    tag(request, level);
  }

  /** Takes back what a request was charged that did not run. */
  void dropped(InferenceRequest request) {
    SchedulingNotes notes = request.notes();
    if (notes.chargedTo != null) {
      notes.chargedTo.correct(request.tenant(), -notes.chargedNs);
      notes.chargedTo = null;
    }
  }

  /** Takes note that a request has left the queue, and will not run. */
  void left(InferenceRequest request) {
    found = Map.of();
    dropped(request);
  }

  /** Takes note that a request found no room in the full queue. */
  void foundNoRoom(InferenceRequest request) {
    if (isRead && displaces() && model.batcher.queue().counts().lowestLevel() == 1) {
      Set<String> more = new HashSet<>(shutOut);
      if (more.size() < MOST_SHUT_OUT && more.add(request.tenant())) {
        shutOut = more;
      }
    }
  }

  /** Takes note of a batch that starts. */
  void onBatch(Batch batch, long nowNs) {
    found = Map.of();
    List<InferenceRequest> requests = batch.requests();
    if (guard == null && !hasTenants) {
      return;
    }
    long shortestNs = Long.MAX_VALUE;
    for (int i = 0; i < requests.size(); i++) {
      InferenceRequest request = requests.get(i);
      shortestNs = Math.min(shortestNs, nowNs - request.arrivalNs() - request.preprocessNs());
      SchedulingNotes notes = request.notes();
      if (notes.chargedTo != null) {
        notes.chargedTo.start(notes.fairTagNs);
      }
    }
    if (guard != null) {
      guard.onBatch(shortestNs, model.batcher.queue().requests(), nowNs);
    }
  }

  /** Takes note of a batch that ended: how wrong predictions were, and who pays for it. */
  void onOutcome(Batch batch, BatchOutcome outcome, int units, long nowNs) {
    onAnswered(batch, nowNs);
    List<InferenceRequest> requests = batch.requests();
    if (hasTenants) {
      double perItemNs = (double) outcome.busyNs() * units / Math.max(1, batch.items());
      for (int i = 0; i < requests.size(); i++) {
        InferenceRequest request = requests.get(i);
        SchedulingNotes notes = request.notes();
        if (notes.chargedTo != null) {
          notes.chargedTo.correct(
              request.tenant(), perItemNs * request.batchSize() - notes.chargedNs);
        }
      }
    }
  }

  /** Takes note of when a batch was answered: how wrong predictions were. */
  void onAnswered(Batch batch, long nowNs) {
    List<InferenceRequest> requests = batch.requests();
    SchedulingNotes last = requests.get(requests.size() - 1).notes();
    if (last.predictedEndNs != 0) {
      margin.record(nowNs - last.predictedEndNs, nowNs);
    }
  }

  /** Returns true if requests without a deadline may be shed. */
  boolean sheds() {
    return guard != null;
  }

  /** Takes out what has waited too long for a model that is overloaded. */
  void shed(long nowNs, List<Rejection> rejected) {
    if (guard != null && guard.isOverloaded()) {
      model.batcher.shed(
          nowNs - guard.targetNs(), Refusals.overloaded(model.plan, guard.targetNs()), rejected);
    }
  }

  /** Returns how long until {@link #shed} should be asked again, if nothing else happens. */
  long untilShedNs() {
    return guard != null && guard.isOverloaded() && model.batcher.queue().requests() > 0
        ? Math.max(SHED_AGAIN_NS, guard.targetNs() / 4)
        : Batcher.NEVER;
  }

  /** Leaves what is known now for the front ends. */
  void publish(long nowNs) {
    if (!isRead) {
      return;
    }
    if (!shutOut.isEmpty() && !model.batcher.queue().isFull()) {
      shutOut = Set.of();
    }
    ModelLoad.TenantRoom room = new ModelLoad.TenantRoom(sharesRoom(), shutOut, first(), found);
    cell.set(ModelLoads.published(model, displaces(), room, margin.ns(nowNs), targetNs(), nowNs));
  }

  /** Returns what goes before whoever has nothing queued, by level, where tenants share. */
  private List<Ahead> first() {
    if (!displaces()) {
      return List.of();
    }
    RequestQueue queue = model.batcher.queue();
    List<Ahead> first = new ArrayList<>(queue.counts().lowestLevel());
    for (int level = 1; level <= queue.counts().lowestLevel(); level++) {
      first.add(queue.ahead(level, shares.of(level).virtualTagNs()));
    }
    return first;
  }

  /** Leaves word that nothing is known any more. */
  void publishNothing() {
    cell.set(ModelLoad.IDLE);
  }

  private ModelLoad load(InferenceRequest request, long nowNs) {
    return ModelLoads.of(model, request, margin.ns(nowNs), targetNs(), nowNs);
  }

  private long targetNs() {
    return guard != null && guard.isOverloaded() ? guard.targetNs() : 0;
  }

  /** Returns true if in a full queue the requests of one tenant may give way to another's. */
  private boolean displaces() {
    return hasTenants && sharesRoom();
  }

  /** Returns true if they would, were there tenants. */
  private boolean sharesRoom() {
    return !model.plan.preservesOrdering() && model.plan.serviceLevel().latencyObjective().isZero();
  }
}
