package dev.conveyor.models.process;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Looks after all workers ten times per second: signs of life, memory; and fifty times per second
 * whether one has begun to end. Thread-safe; one thread of its own does the looking.
 */
final class WorkerMonitor implements AutoCloseable {

  /** Silence is counted in looks, not by a clock: if this process stops too, nobody is blamed. */
  static final long PERIOD_MS = 100;

  private static final long END_PERIOD_MS = 20;

  private record Watched(WorkerProcess worker, WorkerWatch watch, long limitBytes) {}

  private final List<Watched> all = new CopyOnWriteArrayList<>();
  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread created = new Thread(task, "worker-monitor");
            created.setDaemon(true);
            return created;
          });

  private final long loadLimitMs;

  WorkerMonitor(long loadLimitMs) {
    this.loadLimitMs = loadLimitMs;
    var unused =
        thread.scheduleWithFixedDelay(this::look, PERIOD_MS, PERIOD_MS, TimeUnit.MILLISECONDS);
    var unusedToo =
        thread.scheduleWithFixedDelay(
            () -> all.forEach(watched -> watched.worker().killIfEnding()),
            END_PERIOD_MS,
            END_PERIOD_MS,
            TimeUnit.MILLISECONDS);
  }

  /** Watches a worker until it is gone. */
  void watch(WorkerProcess worker, ProcessLimits limits) {
    WorkerWatch watch = new WorkerWatch(limits, PERIOD_MS, worker.pid(), loadLimitMs);
    all.add(new Watched(worker, watch, limits.memoryBytes()));
  }

  private void look() {
    all.removeIf(watched -> !watched.worker().isAlive());
    for (Watched watched : all) {
      WorkerProcess worker = watched.worker();
      Loss verdict =
          watched
              .watch()
              .look(worker.beats(), () -> worker.heldBytes(watched.limitBytes()), worker.loading());
      if (verdict != null) {
        worker.kill(verdict);
      }
    }
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
