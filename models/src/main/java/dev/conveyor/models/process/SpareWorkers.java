package dev.conveyor.models.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.ThreadPriority;
import dev.conveyor.models.process.wire.MessageType;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Workers that have started and have no model yet: one that takes the place of a lost worker serves
 * without a start of a Java virtual machine, which takes half a second of a core from those who
 * serve meanwhile.
 *
 * <p>A spare starts and waits on cores that nothing else wants. When to start which is the {@link
 * SparePlan}'s to say. Thread-safe; one thread of its own starts them, and blocks while it does.
 */
final class SpareWorkers implements AutoCloseable {

  /** Starts a worker that is watched, and waits until it can be talked to. */
  @FunctionalInterface
  interface Starter {
    /** Starts one; {@code begun} is told of the process before it can be talked to. */
    WorkerProcess start(WorkerSpec spec, Begun begun) throws IOException, WorkerLostException;
  }

  /** Told of a process that has just begun. */
  @FunctionalInterface
  interface Begun {
    void accept(WorkerProcess process);
  }

  private static final Logger LOG = LoggerFactory.getLogger(SpareWorkers.class);

  private final Starter starter;
  private volatile Consumer<Loss> listener = loss -> {};
  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread created = new Thread(task, "spare-workers");
            created.setDaemon(true);
            return created;
          });

  @GuardedBy("this")
  private final SparePlan plan;

  /** With the bytes of memory that each had of its own when it was ready; it needs no more. */
  @GuardedBy("this")
  private final Map<WorkerProcess, Long> ready = new LinkedHashMap<>();

  @GuardedBy("this")
  private @Nullable WorkerProcess starting;

  @GuardedBy("this")
  private long taken;

  @GuardedBy("this")
  private boolean closed;

  /**
   * Creates it without any.
   *
   * @param most that there may be at a time
   */
  SpareWorkers(int most, Starter starter) {
    this.starter = starter;
    this.plan = new SparePlan(most, System.nanoTime());
  }

  /** Has {@code listener} told of every spare that is lost, from any thread. */
  void onLost(Consumer<Loss> listener) {
    this.listener = listener;
  }

  /** A worker serves from now on, until it is gone. */
  void serves(WorkerProcess worker) {
    synchronized (this) {
      plan.serves(worker.spec(), System.nanoTime());
    }
    lookLater();
    worker.whenLost(
        loss -> {
          synchronized (this) {
            plan.isGone(worker.spec(), System.nanoTime());
          }
          lookLater();
        });
  }

  /** Returns a spare of that kind, which is the caller's from now on; null if there is none. */
  @Nullable WorkerProcess take(WorkerSpec spec) {
    WorkerProcess found = null;
    synchronized (this) {
      for (WorkerProcess spare : ready.keySet()) {
        found = spare.spec().equals(spec) && spare.isAlive() ? spare : found;
      }
      if (found == null) {
        return null;
      }
      ready.remove(found);
      taken++;
      plan.isTaken(spec, System.nanoTime());
    }
    ThreadPriority.wake(found.pid());
    lookLater();
    return found;
  }

  /** Returns those that are ready, and how many were taken since the start. */
  synchronized Spares list() {
    return new Spares(
        ready.entrySet().stream()
            .map(spare -> new Spares.Spare(spare.getKey().pid(), spare.getValue()))
            .toList(),
        taken);
  }

  private synchronized void lookLater() {
    OptionalLong delayNs = plan.delayNs(System.nanoTime());
    if (!closed && delayNs.isPresent()) {
      var unused = thread.schedule(this::look, delayNs.getAsLong(), TimeUnit.NANOSECONDS);
    }
  }

  private void look() {
    try {
      endSurplus();
      Optional<WorkerSpec> next = begin();
      if (next.isPresent()) {
        start(next.get());
        lookLater();
      }
    } catch (RuntimeException | Error e) {
      LOG.error("spare workers could not be looked after", e);
    }
  }

  private synchronized Optional<WorkerSpec> begin() {
    Optional<WorkerSpec> next = closed ? Optional.empty() : plan.next(System.nanoTime());
    next.ifPresent(plan::begins);
    return next;
  }

  private void start(WorkerSpec spec) {
    WorkerProcess spare = null;
    try {
      spare = starter.start(spec, this::begun);
      spare.line(0).begin(MessageType.WARM_UP);
      spare.line(0).callToLoad().expect(MessageType.DONE);
      add(spare);
    } catch (WorkerLostException e) {
      didNotComeUp(spec, spare, e);
      if (e.loss().cause() != Loss.Cause.CLOSED) {
        listener.accept(e.loss());
      }
    } catch (IOException | RuntimeException | Error e) {
      didNotComeUp(spec, spare, e);
    } finally {
      endsToStart();
    }
  }

  private void didNotComeUp(WorkerSpec spec, @Nullable WorkerProcess spare, Throwable why) {
    // Before anything that can fail as well: one that stays planned is never begun again.
    fails(spec, 0);
    LOG.info("a spare worker did not come up: {}", why.getMessage());
    if (spare != null) {
      end(spare);
    }
  }

  /** Of a process that starts: it yields to everything else from here on. */
  private void begun(WorkerProcess process) {
    ThreadPriority.idle(process.pid());
    boolean late;
    synchronized (this) {
      starting = process;
      late = closed;
    }
    if (late) {
      end(process);
    }
  }

  private synchronized void endsToStart() {
    starting = null;
  }

  private void add(WorkerProcess spare) {
    long heldBytes = spare.heldBytes(Long.MAX_VALUE); // Reads files; who lists them need not.
    synchronized (this) {
      ready.put(spare, heldBytes);
    }
    long readyNs = System.nanoTime();
    spare.whenLost(loss -> lost(spare, loss, System.nanoTime() - readyNs));
  }

  /** Nobody hears of the end of one that was taken here. */
  private void lost(WorkerProcess spare, Loss loss, long readyNs) {
    synchronized (this) {
      if (closed || ready.remove(spare) == null) {
        return;
      }
      thread.execute(spare::close);
    }
    listener.accept(loss);
    fails(spare.spec(), readyNs);
  }

  private void fails(WorkerSpec spec, long readyNs) {
    synchronized (this) {
      plan.fails(spec, readyNs, System.nanoTime());
    }
    lookLater();
  }

  private void endSurplus() {
    WorkerProcess spare = null;
    synchronized (this) {
      WorkerSpec spec = plan.surplus(System.nanoTime()).orElse(null);
      for (WorkerProcess each : ready.keySet()) {
        spare = each.spec().equals(spec) ? each : spare;
      }
      if (spare == null) {
        return;
      }
      ready.remove(spare);
      plan.leaves(spare.spec(), System.nanoTime());
    }
    end(spare);
    lookLater();
  }

  /** One that yields to everything would take its time to end. */
  private static void end(WorkerProcess spare) {
    ThreadPriority.wake(spare.pid());
    spare.kill(new Loss(Loss.Cause.CLOSED, "spare worker process " + spare.pid() + " was closed"));
    spare.close();
  }

  @Override
  public void close() {
    List<WorkerProcess> ending = new ArrayList<>();
    synchronized (this) {
      closed = true;
      ending.addAll(ready.keySet());
      ready.clear();
      if (starting != null) {
        ending.add(starting);
      }
    }
    thread.shutdown();
    ending.forEach(SpareWorkers::end);
  }
}
