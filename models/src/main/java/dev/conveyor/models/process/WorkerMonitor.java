package dev.conveyor.models.process;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks after all workers ten times per second: signs of life, memory; and fifty times per second
 * whether one has begun to end. A look that goes wrong keeps nobody from the next, nor from the
 * other workers. Thread-safe; one thread of its own does the looking.
 */
final class WorkerMonitor implements AutoCloseable {

  /** Silence is counted in looks, not by a clock: if this process stops too, nobody is blamed. */
  static final long PERIOD_MS = 100;

  private static final long END_PERIOD_MS = 20;

  private static final Logger LOG = LoggerFactory.getLogger(WorkerMonitor.class);

  private record Watched(
      Looked worker, WorkerWatch watch, long limitBytes, AtomicBoolean failedBefore) {}

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
        thread.scheduleWithFixedDelay(
            () -> each(this::look), PERIOD_MS, PERIOD_MS, TimeUnit.MILLISECONDS);
    var unusedToo =
        thread.scheduleWithFixedDelay(
            () -> each(watched -> watched.worker().killIfEnding()),
            END_PERIOD_MS,
            END_PERIOD_MS,
            TimeUnit.MILLISECONDS);
  }

  /** Watches a worker until it is gone, or is watched in another way. */
  void watch(Looked worker, ProcessLimits limits) {
    WorkerWatch watch = new WorkerWatch(limits, PERIOD_MS, worker.pid(), loadLimitMs);
    all.removeIf(watched -> watched.worker() == worker);
    all.add(new Watched(worker, watch, limits.memoryBytes(), new AtomicBoolean()));
  }

  private void each(Consumer<Watched> look) {
    for (Watched watched : all) {
      try {
        look.accept(watched);
      } catch (RuntimeException | Error e) {
        if (watched.failedBefore().compareAndSet(false, true)) {
          LOG.error("worker process {} could not be looked at", watched.worker().pid(), e);
        }
      }
    }
  }

  private void look(Watched watched) {
    Looked worker = watched.worker();
    if (!worker.isAlive()) {
      all.remove(watched);
      return;
    }
    Loss verdict =
        watched
            .watch()
            .look(worker.beats(), () -> worker.heldBytes(watched.limitBytes()), worker.loading());
    if (verdict != null) {
      worker.kill(verdict);
    }
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
