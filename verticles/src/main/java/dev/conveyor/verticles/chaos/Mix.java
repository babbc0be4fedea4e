package dev.conveyor.verticles.chaos;

import dev.conveyor.verticles.chaos.Fault.Place;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * Random faults of two models at the same time, one in the server's process and one isolated; the
 * third is untouched. Each of the two has a lane of its own for any fault, one after the other, and
 * one for bad requests and bad clients, which go on while the model is away, is replaced or
 * reloaded.
 *
 * <p>Not thread-safe: owned by the run; has a thread for each lane while it runs. Blocks.
 */
final class Mix {

  private static final int PAUSE_MS = 500;

  private final ChaosPlan plan;
  private final ChaosServer server;
  private final LoadLoop load;
  private final Outages outages;
  private final Supplier<Injector> injectors;

  /** While the disk is full nothing can be replaced, so no other model may lose anything. */
  private final ReentrantReadWriteLock disk = new ReentrantReadWriteLock(true);

  private final AtomicInteger active = new AtomicInteger();
  private final AtomicInteger injected = new AtomicInteger();
  private final AtomicInteger overlapping = new AtomicInteger();

  Mix(
      ChaosPlan plan,
      ChaosServer server,
      LoadLoop load,
      Outages outages,
      Supplier<Injector> injectors) {
    this.plan = plan;
    this.server = server;
    this.load = load;
    this.outages = outages;
    this.injectors = injectors;
  }

  private record Lane(String victim, List<Fault> faults, boolean anyFault, long seed) {}

  /**
   * Injects faults for a while, and until the last is over.
   *
   * @param label of the result
   * @param faults to choose from
   */
  FaultResult run(String label, List<Fault> faults, long ms)
      throws IOException, InterruptedException {
    FaultWindows seen = new FaultWindows(label);
    load.aim(Set.of(ChaosRun.WITHIN, ChaosRun.ISOLATED.get(0)));
    load.window(seen.before());
    TimeUnit.MILLISECONDS.sleep(Math.max(PAUSE_MS, plan.windowMs()));
    load.window(seen.between());
    seen.before().settle(plan.patience().toMillis());
    load.window(seen.during());
    List<Lane> lanes = lanes(faults);
    long endNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(ms);
    ExecutorService threads = Executors.newFixedThreadPool(Math.max(1, lanes.size()));
    try {
      List<Future<Void>> running = new ArrayList<>();
      for (Lane lane : lanes) {
        running.add(
            threads.submit(
                () -> {
                  inject(lane, endNs, seen);
                  return null;
                }));
      }
      for (Future<Void> lane : running) {
        lane.get();
      }
    } catch (ExecutionException e) {
      throw new IOException("a mix of faults could not go on: " + e.getCause(), e);
    } finally {
      threads.shutdownNow();
    }
    load.window(seen.between());
    seen.during().settle(plan.patience().toMillis());
    load.window(new Tally());
    seen.between().settle(plan.patience().toMillis());
    seen.overlapped(injected.get(), overlapping.get());
    return seen.result();
  }

  private List<Lane> lanes(List<Fault> faults) {
    String isolated = ChaosRun.ISOLATED.get(0);
    List<Lane> lanes = new ArrayList<>();
    add(lanes, ChaosRun.WITHIN, faults, fault -> fault.place() != Place.CHILD, true);
    // What all share needs one lane only.
    add(lanes, isolated, faults, fault -> fault.place() != Place.SERVER, true);
    add(lanes, ChaosRun.WITHIN, faults, Fault::isOfClients, false);
    add(lanes, isolated, faults, Fault::isOfClients, false);
    return lanes;
  }

  private void add(
      List<Lane> lanes, String victim, List<Fault> faults, Predicate<Fault> which, boolean any) {
    List<Fault> some =
        faults.stream().filter(fault -> fault != Fault.CONTROL).filter(which).toList();
    if (!some.isEmpty()) {
      lanes.add(new Lane(victim, some, any, plan.seed() + lanes.size()));
    }
  }

  private void inject(Lane lane, long endNs, FaultWindows seen)
      throws IOException, InterruptedException {
    Random random = new Random(lane.seed());
    Injector injector = injectors.get();
    injector.aim(lane.victim());
    injector.loadWithin(plan.patience());
    Episode episode = new Episode(server, load, outages, injector, plan.patience());
    while (endNs - System.nanoTime() > 0) {
      Fault fault = lane.faults().get(random.nextInt(lane.faults().size()));
      Lock lock = fault == Fault.FULL_DISK ? disk.writeLock() : disk.readLock();
      if (lane.anyFault()) {
        lock.lockInterruptibly();
      }
      injected.incrementAndGet();
      overlapping.addAndGet(active.getAndIncrement() > 0 ? 1 : 0);
      try {
        if (lane.anyFault()) {
          whole(fault, episode, injector, random.nextBoolean(), seen);
        } else {
          injector.inject(fault, seen.during(), Injector.DECIDED);
        }
      } finally {
        active.decrementAndGet();
        if (lane.anyFault()) {
          lock.unlock();
        }
      }
      TimeUnit.MILLISECONDS.sleep(random.nextInt(PAUSE_MS));
    }
    if (lane.anyFault()) {
      injector.reload();
    }
  }

  /**
   * Injects a fault and, if it costs an instance, waits until the model is back. The more instances
   * it lost lately, the longer that takes, unless it is reloaded. Of other faults the server need
   * not decide a second time, while it remembers the first.
   *
   * @param forgive whether what it lost is forgiven
   */
  private void whole(
      Fault fault, Episode episode, Injector injector, boolean forgive, FaultWindows seen)
      throws IOException, InterruptedException {
    if (!fault.losesInstance()) {
      injector.inject(fault, seen.during(), Injector.DECIDED);
      return;
    }
    outages.begin(injector.victim());
    try {
      Episode.Took took = episode.run(fault, seen.during());
      double recoverMs = took.recoverMs();
      if (forgive || Double.isInfinite(recoverMs)) {
        injector.reload();
        recoverMs = Math.min(recoverMs, episode.recoverMs(injector.actedNs()));
      }
      boolean noticed = Double.isFinite(took.detectMs());
      if (!noticed) {
        seen.during().surprise(injector.victim() + ": nobody noticed " + fault.label());
      }
      synchronized (seen) {
        seen.took(noticed ? -1 : took.detectMs(), recoverMs);
      }
    } finally {
      outages.end(injector.victim(), System.nanoTime());
    }
  }
}
