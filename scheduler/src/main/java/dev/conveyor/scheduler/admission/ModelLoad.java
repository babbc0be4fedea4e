package dev.conveyor.scheduler.admission;

import dev.conveyor.scheduler.batching.Ahead;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How busy one version of a model is, and how fast it works. Immutable.
 *
 * @param queuedRequests requests that wait
 * @param queuedItems sum of their batch sizes
 * @param queuedBytes sum of their inputs
 * @param running batches in flight
 * @param full whether the queue takes no more requests, whatever their priority
 * @param maxQueueBytes bound of {@code queuedBytes}; 0 for none
 * @param speed how long batches take
 * @param freeAtNs when the next batch is expected to start
 * @param marginNs by how much requests are answered later than predicted, rarely exceeded
 * @param targetNs while the model is overloaded, longest wait of a request without a deadline;
 *     otherwise 0
 * @param objectiveNs within which every request is to be answered; 0 for none
 * @param servable true while what is queued can be served within the objective: then no prediction
 *     keeps anything out of the queue
 * @param levels the same by priority level, for a model that has levels; of the components above,
 *     those that a level changes are of all levels together
 * @param room what of it stands in the way of each tenant
 */
public record ModelLoad(
    int queuedRequests,
    int queuedItems,
    long queuedBytes,
    int running,
    boolean full,
    long maxQueueBytes,
    Speed speed,
    long freeAtNs,
    long marginNs,
    long targetNs,
    long objectiveNs,
    boolean servable,
    PriorityLevels levels,
    TenantRoom room) {

  /** Describes the load of a model without priority levels. */
  public ModelLoad(
      int queuedRequests,
      int queuedItems,
      long queuedBytes,
      int running,
      boolean full,
      long maxQueueBytes,
      Speed speed,
      long freeAtNs,
      long marginNs,
      long targetNs,
      long objectiveNs,
      boolean servable) {
    this(
        queuedRequests,
        queuedItems,
        queuedBytes,
        running,
        full,
        maxQueueBytes,
        speed,
        freeAtNs,
        marginNs,
        targetNs,
        objectiveNs,
        servable,
        PriorityLevels.NONE,
        TenantRoom.NONE);
  }

  /** Describes the load of a model without an objective. */
  public ModelLoad(
      int queuedRequests,
      int queuedItems,
      long queuedBytes,
      int running,
      boolean full,
      long maxQueueBytes,
      Speed speed,
      long freeAtNs,
      long marginNs,
      long targetNs) {
    this(
        queuedRequests,
        queuedItems,
        queuedBytes,
        running,
        full,
        maxQueueBytes,
        speed,
        freeAtNs,
        marginNs,
        targetNs,
        0,
        false);
  }

  /**
   * How long batches take where the model runs.
   *
   * @param maxItems largest batch
   * @param parallel batches that run at a time, as far as other models leave room; above 0
   * @param oneNs expected time of a batch of one; 0 if nothing has run yet
   * @param fullNs expected time of the largest batch
   * @param leastNs what a batch takes at least, with all that nobody else may want by then
   * @param mostParallel batches that run at a time if no other model wants the devices
   */
  public record Speed(
      int maxItems, double parallel, long oneNs, long fullNs, long leastNs, double mostParallel) {

    /** Describes a model that never is faster than it is now. */
    public Speed(int maxItems, double parallel, long oneNs, long fullNs) {
      this(maxItems, parallel, oneNs, fullNs, Math.min(oneNs, fullNs), parallel);
    }

    /** Nothing is predicted, and so nothing is refused for its deadline. */
    public static final Speed UNKNOWN = new Speed(1, 1, 0, 0);

    /** Returns false until a batch has run; nothing is refused for its deadline before. */
    boolean isKnown() {
      return fullNs > 0;
    }

    /** Returns the expected time of a batch; between one and the largest a straight line. */
    long runNs(int items) {
      if (maxItems <= 1 || items >= maxItems) {
        return fullNs;
      }
      return oneNs + (long) ((double) (fullNs - oneNs) * (items - 1) / (maxItems - 1));
    }
  }

  /**
   * What tenants find where they share a model: not all that waits goes before them.
   *
   * @param isShared false if all find the same, and nothing ever gives way
   * @param shutOut tenants to whom nothing has given way, and nothing will until a batch starts
   * @param first what goes before whoever has nothing queued, for each level from the highest;
   *     empty while no tenant is known to use the model
   * @param found what goes before tenants that the scheduler has refused for it, at least, until a
   *     batch starts
   */
  public record TenantRoom(
      boolean isShared, Set<String> shutOut, List<Ahead> first, Map<String, Ahead> found) {

    /** Nothing gives way. */
    public static final TenantRoom NONE = new TenantRoom(false, Set.of());

    public TenantRoom {
      shutOut = Set.copyOf(shutOut);
      first = List.copyOf(first);
      found = Map.copyOf(found);
    }

    /** Describes room that no tenant is known to use. */
    public TenantRoom(boolean isShared, Set<String> shutOut) {
      this(isShared, shutOut, List.of(), Map.of());
    }

    private TenantRoom at(int level) {
      return first.size() < level
          ? this
          : new TenantRoom(isShared, shutOut, List.of(first.get(level - 1)), found);
    }

    /**
     * Returns what goes before a request of a tenant, at least; null if that is all there is.
     *
     * @param tenant null if it is not known yet
     */
    private @Nullable Ahead ahead(@Nullable String tenant) {
      Ahead least = first.isEmpty() ? null : first.get(0);
      if (tenant == null || !isShared) {
        return least;
      }
      // The first tenant to come may go before all that came without a name.
      Ahead atDoor = least == null && !tenant.isEmpty() ? Ahead.NOTHING : least;
      return found.getOrDefault(tenant, atDoor);
    }
  }

  /** Nothing waits, nothing runs, nothing is known. */
  public static final ModelLoad IDLE = new ModelLoad(0, 0, 0, 0, false, 0, Speed.UNKNOWN, 0, 0, 0);

  /** Returns the load as it is once so many more items, each a request, are queued. */
  ModelLoad behind(int items) {
    return items == 0
        ? this
        : with(
            queuedRequests + items, queuedItems + items, queuedBytes, full, servable, levels, room);
  }

  /**
   * Returns the load as a request of some priority finds it: what is of a lower level does not
   * stand in its way.
   *
   * @param priority level, 1 the highest; 0 for the model's default
   */
  public ModelLoad seenBy(int priority) {
    PriorityLevels.Waiting waiting = levels.of(priority);
    return waiting == null
        ? this
        : with(
            waiting.requests(),
            waiting.items(),
            waiting.bytes(),
            waiting.full(),
            waiting.servable(),
            PriorityLevels.NONE,
            room.at(levels.level(priority)));
  }

  /**
   * Returns the load as a request of a tenant finds it: what goes after it in the fair order does
   * not stand in its way, and where others may have to give way to it, no queue is full but for
   * those to whom nobody does.
   *
   * @param tenant empty for clients that do not say who they are; null if it is not known yet
   */
  public ModelLoad seenBy(@Nullable String tenant) {
    boolean isFullForIt =
        tenant == null
            ? full
            : room.shutOut.contains(tenant) || (full && (tenant.isEmpty() || !room.isShared));
    ModelLoad load = isFullForIt ? this : behind(room.ahead(tenant));
    return isFullForIt == full
        ? load
        : load.with(
            load.queuedRequests,
            load.queuedItems,
            load.queuedBytes,
            isFullForIt,
            servable,
            levels,
            room);
  }

  /** Returns the load to somebody before whom only this is queued; null if that is everything. */
  public ModelLoad behind(@Nullable Ahead ahead) {
    return ahead == null
        ? this
        : with(ahead.requests(), ahead.items(), ahead.bytes(), full, servable, levels, room);
  }

  /** Returns the load of the same model to somebody before whom something else is queued. */
  private ModelLoad with(
      int requests,
      int items,
      long bytes,
      boolean isFull,
      boolean isServable,
      PriorityLevels seenLevels,
      TenantRoom seenRoom) {
    return new ModelLoad(
        requests,
        items,
        bytes,
        running,
        isFull,
        maxQueueBytes,
        speed,
        freeAtNs,
        marginNs,
        targetNs,
        objectiveNs,
        isServable,
        seenLevels,
        seenRoom);
  }

  /** Returns false until a batch has run; nothing can be predicted before. */
  public boolean isKnown() {
    return speed.isKnown();
  }

  /** Returns true if a request that comes now has the model for itself. */
  boolean isIdle() {
    return running == 0 && queuedRequests == 0;
  }

  /**
   * Returns how long a request that comes now waits until its batch starts: for the batch in
   * progress, and for the full batches before its own.
   */
  public long waitNs(int items, long nowNs) {
    return isIdle() ? 0 : waitNs(items, speed.parallel(), nowNs);
  }

  private long waitNs(int items, double parallel, long nowNs) {
    long residualNs = Math.max(0, freeAtNs - nowNs);
    return residualNs + (long) (batchesAhead(items) * (double) speed.fullNs() / parallel);
  }

  /** Returns how long a request that comes now waits and runs. */
  public long latencyNs(int items, long nowNs) {
    int ahead = batchesAhead(items) * speed.maxItems();
    int joined = Math.max(0, queuedItems - ahead) + items;
    return waitNs(items, nowNs) + speed.runNs(Math.min(joined, speed.maxItems()));
  }

  /**
   * Returns after how long a request at the earliest is answered that comes later, if nothing else
   * does: what waits now has become less by then. An idle model, or one of which nothing is known,
   * takes no time, because it takes any request. With an objective nothing counts that waits: the
   * earliest deadline goes first, and it need not be any of those.
   *
   * @param readyNs after how long it comes
   */
  public long earliestDoneNs(long readyNs, long nowNs) {
    if (!isKnown() || isIdle()) {
      return readyNs;
    }
    long waitNs = objectiveNs > 0 ? 0 : waitNs(1, speed.mostParallel(), nowNs);
    return Math.max(readyNs, waitNs) + speed.leastNs();
  }

  /** Full batches that go first: the request joins the last one if it still fits. */
  private int batchesAhead(int items) {
    int full = queuedItems / speed.maxItems();
    int rest = queuedItems % speed.maxItems();
    return rest + items <= speed.maxItems() ? full : full + 1;
  }
}
