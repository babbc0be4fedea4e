package dev.conveyor.scheduler;

import dev.conveyor.scheduler.batching.Batcher;
import dev.conveyor.scheduler.batching.Rejection;
import dev.conveyor.scheduler.decisions.DecisionLog;
import dev.conveyor.scheduler.fairness.IndexedHeap;
import java.util.ArrayList;
import java.util.List;

/**
 * Keeps the devices' run queues true, and knows when time alone will change them: so that a
 * decision costs what has changed since the last one, not how many models there are.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}.
 *
 * <p>Invariant after {@link #settle}: a placement is in its device's run queue if and only if its
 * model may run a batch now and it has a free instance; and every model that time alone will change
 * has a wake-up.
 */
final class Agenda {

  /** Eleven days: longer than any deadline, short enough to keep nanoseconds in a double. */
  private static final double OVERLOADED_LATER_NS = 1e15;

  private final IndexedHeap<ModelState> wakeUps = new IndexedHeap<>();
  private final List<ModelState> touched = new ArrayList<>();
  private final List<ModelState> longer = new ArrayList<>();
  private final DecisionLog log;
  private boolean started;

  /** Heaps order numbers, and times wrap around; so they hold times since this one. */
  private long originNs;

  Agenda(DecisionLog log) {
    this.log = log;
  }

  /** Notes that something happened to a model. */
  void touch(ModelState model) {
    if (!model.touched) {
      model.touched = true;
      touched.add(model);
    }
  }

  /**
   * Notes that a request came that went behind others. If nothing else happens to the model until
   * then, all that {@link #settle} has to do is to say when its batches must start now.
   */
  void touchLonger(ModelState model) {
    if (!model.touched && !model.longer) {
      model.longer = true;
      longer.add(model);
    }
  }

  /** Brings everything up to date that was touched or whose time has come. */
  void settle(long nowNs, List<Rejection> rejected) {
    double now = sinceOrigin(nowNs);
    IndexedHeap.Node<ModelState> next = wakeUps.peek();
    while (next != null && next.key() <= now) {
      wakeUps.remove(next);
      touch(next.value());
      next = wakeUps.peek();
    }
    for (int i = 0; i < touched.size(); i++) {
      ModelState model = touched.get(i);
      model.touched = false;
      refresh(model, nowNs, rejected);
    }
    touched.clear();
    for (int i = 0; i < longer.size(); i++) {
      ModelState model = longer.get(i);
      if (model.longer) {
        rekey(model, nowNs, rejected);
      }
    }
    longer.clear();
  }

  private void rekey(ModelState model, long nowNs, List<Rejection> rejected) {
    model.longer = false;
    for (int i = 0; i < model.placements.size(); i++) {
      Placement placement = model.placements.get(i);
      if (placement.entry.isReady()) {
        long turnNs = model.batcher.turnNs(nowNs, placement);
        if (turnNs == Batcher.NOT_READY) {
          refresh(model, nowNs, rejected);
          return;
        }
        placement.device.setLatestStart(placement, latestStart(model, turnNs, nowNs));
      }
    }
  }

  /** Brings one model up to date. */
  void refresh(ModelState model, long nowNs, List<Rejection> rejected) {
    Batcher batcher = model.batcher;
    model.longer = false;
    model.updatePlaces();
    batcher.expire(nowNs, rejected);
    model.admission.shed(nowNs, rejected);
    logDropped(model, nowNs);
    boolean mayRun = model.mayRun();
    int level = mayRun ? model.priorityClass(nowNs) : 0;
    long untilNs = Math.min(batcher.untilExpiryNs(nowNs), model.admission.untilShedNs());
    boolean queued = false;
    for (int i = 0; i < model.placements.size(); i++) {
      Placement placement = model.placements.get(i);
      long turnNs =
          mayRun && !placement.free.isEmpty()
              ? batcher.turnNs(nowNs, placement)
              : Batcher.NOT_READY;
      if (turnNs != Batcher.NOT_READY) {
        queued = true;
        placement.device.put(placement, level, latestStart(model, turnNs, nowNs));
        continue;
      }
      placement.device.remove(placement);
      if (mayRun && !placement.free.isEmpty()) {
        long readyNs = batcher.untilReadyNs(nowNs, placement);
        untilNs = Math.min(untilNs, readyNs);
        if (readyNs != Batcher.NEVER) {
          log.waits(
              model.plan, placement.device.spec.name(), batcher.queue().requests(), readyNs, nowNs);
        }
      }
    }
    wakeUp(model, nowNs, queued ? Math.min(untilNs, model.untilOlderNs(nowNs)) : untilNs);
  }

  /** Forgets a model, its wake-up and its places in run queues. */
  void forget(ModelState model) {
    wakeUps.remove(model.wakeUp);
    touched.remove(model);
    model.touched = false;
    longer.remove(model);
    model.longer = false;
    for (Placement placement : model.placements) {
      placement.device.remove(placement);
    }
  }

  /** Returns how long until time alone changes something, or {@link Scheduler#NEVER}. */
  long wakeUpInNs(long nowNs) {
    IndexedHeap.Node<ModelState> next = wakeUps.peek();
    return next == null ? Scheduler.NEVER : Math.max(0, (long) (next.key() - sinceOrigin(nowNs)));
  }

  /** Logs what the batcher gave up. */
  void logDropped(ModelState model, long nowNs) {
    Batcher batcher = model.batcher;
    if (batcher.dropped() > 0) {
      log.dropped(model.plan, batcher.dropped(), batcher.droppedNs(), nowNs);
      batcher.clearDropped();
    }
  }

  private void wakeUp(ModelState model, long nowNs, long untilNs) {
    if (untilNs == Batcher.NEVER) {
      wakeUps.remove(model.wakeUp);
    } else {
      wakeUps.set(model.wakeUp, sinceOrigin(nowNs) + untilNs, 0);
    }
  }

  /**
   * An overloaded model is always about to miss a deadline. Were that urgent, it would push the
   * others back by a whole fairness window; so it comes after those that keep up, and is ordered by
   * its deadlines among its like.
   */
  private double latestStart(ModelState model, long latestNs, long nowNs) {
    if (latestNs == Batcher.NEVER) {
      return Double.POSITIVE_INFINITY;
    }
    double latest = sinceOrigin(latestNs);
    return model.isOverloaded(nowNs) ? latest + OVERLOADED_LATER_NS : latest;
  }

  private double sinceOrigin(long timeNs) {
    if (!started) {
      started = true;
      originNs = timeNs;
    }
    return timeNs - originNs;
  }
}
