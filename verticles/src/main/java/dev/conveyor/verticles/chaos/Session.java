package dev.conveyor.verticles.chaos;

import dev.conveyor.verticles.chaos.Fault.Place;
import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * Faults in one server, one after the other, and what is seen of them.
 *
 * <p>Not thread-safe: owned by the run. Blocks.
 */
final class Session {

  /** Label of the random mix that has no faults of what all models share. */
  static final String MIX_ISOLATED = "mix, isolated";

  private static final Duration LONGEST_RECOVERY = Duration.ofSeconds(30);
  private static final Duration SHORTEST_MIX = Duration.ofSeconds(2);
  private static final int MIX_PAUSE_MS = 500;
  private static final long AFTER_MS = 100;
  private static final long UNHEARD = Long.MIN_VALUE;

  private final ChaosPlan plan;
  private final ChaosServer server;
  private final Injector injector;
  private final LoadLoop load;
  private final long endNs;

  /** Begins now. */
  Session(ChaosPlan plan, ChaosServer server, Injector injector, LoadLoop load) {
    this.plan = plan;
    this.server = server;
    this.injector = injector;
    this.load = load;
    this.endNs = System.nanoTime() + plan.duration().toNanos();
  }

  /** Injects each alone, as often as the plan has rounds. */
  void alone(List<Fault> faults, Consumer<FaultResult> results)
      throws IOException, InterruptedException {
    Map<Fault, FaultWindows> windows = new LinkedHashMap<>();
    int children = 0;
    for (int round = 1; round <= plan.rounds(); round++) {
      for (Fault fault : faults) {
        // In turns, so that losses are as rare for each as they should be.
        List<String> isolated = ChaosRun.ISOLATED;
        aim(
            fault.place() == Place.CHILD
                ? isolated.get(children++ % isolated.size())
                : ChaosRun.WITHIN);
        FaultWindows seen = windows.computeIfAbsent(fault, f -> new FaultWindows(f.label()));
        one(fault, seen);
        if (round < plan.rounds()) {
          // The next round meets a model that no fault is remembered of.
          injector.reload();
          TimeUnit.MILLISECONDS.sleep(MIX_PAUSE_MS);
        } else {
          results.accept(seen.result());
        }
      }
    }
  }

  /** Injects faults at random until the time is over, if there is some left. */
  void mixed(List<Fault> faults, Consumer<FaultResult> results)
      throws IOException, InterruptedException {
    long leftNs = endNs - System.nanoTime();
    if (leftNs > SHORTEST_MIX.toNanos()) {
      aim(ChaosRun.WITHIN);
      mix("mix", except(Place.CHILD, faults), endNs - leftNs / 2, results);
      aim(ChaosRun.ISOLATED.get(0));
      mix(MIX_ISOLATED, except(Place.SERVER, faults), endNs, results);
    }
  }

  private static List<Fault> except(Place place, List<Fault> faults) {
    return faults.stream()
        .filter(fault -> fault.place() != place && fault != Fault.CONTROL)
        .toList();
  }

  private void aim(String victim) {
    injector.aim(victim);
    load.aim(victim);
  }

  private void mix(String label, List<Fault> some, long untilNs, Consumer<FaultResult> results)
      throws IOException, InterruptedException {
    if (some.isEmpty()) {
      return;
    }
    FaultWindows seen = new FaultWindows(label);
    Random random = new Random(plan.seed());
    load.window(false, seen.before());
    TimeUnit.MILLISECONDS.sleep(MIX_PAUSE_MS);
    load.settle();
    load.window(true, seen.during());
    while (untilNs - System.nanoTime() > 0) {
      injector.inject(
          some.get(random.nextInt(some.size())),
          seen.during(),
          CompletableFuture.completedFuture(0L));
      TimeUnit.MILLISECONDS.sleep(random.nextInt(MIX_PAUSE_MS));
    }
    // After many losses in a row the next instance would be long in coming.
    injector.reload();
    seen.took(-1, recover(System.nanoTime()));
    load.settle();
    results.accept(seen.result());
  }

  private void one(Fault fault, FaultWindows seen) throws IOException, InterruptedException {
    load.window(false, seen.before());
    TimeUnit.MILLISECONDS.sleep(plan.windowMs());
    load.settle();
    CompletableFuture<Long> sleeps = server.events().next(Faults::isSleep);
    CompletableFuture<Long> decided =
        server.events().next(event -> fault.isDetectedBy(event, injector.victim()));
    load.window(true, seen.during());
    injector.inject(fault, seen.during(), decided);
    double recoverMs = recover(injector.actedNs());
    double detectMs = -1;
    if (fault.isDecided()) {
      long sinceNs = fault == Fault.HANG ? heard(sleeps) : injector.actedNs();
      long decidedNs = heard(decided);
      detectMs =
          sinceNs == UNHEARD || decidedNs == UNHEARD
              ? Double.POSITIVE_INFINITY
              : (decidedNs - sinceNs) / 1e6;
    }
    seen.took(detectMs, recoverMs);
    sleeps.cancel(false);
    decided.cancel(false);
    TimeUnit.MILLISECONDS.sleep(plan.windowMs());
    load.settle();
    load.window(false, seen.after());
    TimeUnit.MILLISECONDS.sleep(AFTER_MS);
    load.settle();
  }

  private static long heard(CompletableFuture<Long> event) throws InterruptedException {
    try {
      return event.get(LONGEST_RECOVERY.toSeconds(), TimeUnit.SECONDS);
    } catch (TimeoutException | ExecutionException e) {
      return UNHEARD;
    }
  }

  /** Returns how long until a request that is sent after now was answered right. */
  private double recover(long startNs) throws InterruptedException {
    long fromNs = System.nanoTime();
    while (load.lastRightOfVictimNs() - fromNs <= 0) {
      if (System.nanoTime() - fromNs > LONGEST_RECOVERY.toNanos()) {
        return Double.POSITIVE_INFINITY;
      }
      TimeUnit.MILLISECONDS.sleep(1);
    }
    return (System.nanoTime() - startNs) / 1e6;
  }
}
