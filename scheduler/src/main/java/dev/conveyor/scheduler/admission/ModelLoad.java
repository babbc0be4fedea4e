package dev.conveyor.scheduler.admission;

import java.util.Set;

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
 * @param room who of the tenants has a claim to room in a full queue
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
   * Whether requests in a full queue give way to those of other tenants.
   *
   * @param isShared false if nothing ever gives way
   * @param shutOut tenants to whom nothing has given way, and nothing will until a batch starts
   */
  public record TenantRoom(boolean isShared, Set<String> shutOut) {

    /** Nothing gives way. */
    public static final TenantRoom NONE = new TenantRoom(false, Set.of());

    public TenantRoom {
      shutOut = Set.copyOf(shutOut);
    }
  }

  /** Nothing waits, nothing runs, nothing is known. */
  public static final ModelLoad IDLE = new ModelLoad(0, 0, 0, 0, false, 0, Speed.UNKNOWN, 0, 0, 0);

  /** Returns the load as it is once so many more items, each a request, are queued. */
  ModelLoad behind(int items) {
    return items == 0
        ? this
        : with(queuedRequests + items, queuedItems + items, queuedBytes, full, servable, levels);
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
            PriorityLevels.NONE);
  }

  /**
   * Returns the load as a request of a tenant finds it: where others may have to give way to it, no
   * queue is full but for those to whom nobody does.
   *
   * @param tenant empty for clients that do not say who they are
   */
  public ModelLoad seenBy(String tenant) {
    boolean isFullForIt =
        room.shutOut.contains(tenant) || (full && (tenant.isEmpty() || !room.isShared));
    return isFullForIt == full
        ? this
        : with(queuedRequests, queuedItems, queuedBytes, isFullForIt, servable, levels);
  }

  /** Returns the load of the same model to somebody before whom something else is queued. */
  private ModelLoad with(
      int requests,
      int items,
      long bytes,
      boolean isFull,
      boolean isServable,
      PriorityLevels seenLevels) {
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
        room);
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
