package dev.conveyor.verticles.chaos;

import dev.conveyor.verticles.chaos.Fault.Place;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Faults in one server, one after the other, and what is seen of them.
 *
 * <p>What the others feel of a fault is the difference between windows with it and windows without
 * it. Machines are faster in one second than in the next, so the two take turns, and together are
 * as long: of a fault that lasts, the next round's window without it is as long as it lasted.
 *
 * <p>Not thread-safe: owned by the run. Blocks.
 */
final class Session {

  private static final long MOST_CALM_WINDOWS = 4;
  private static final long PAUSE_MS = 500;
  private static final long AFTER_MS = 100;

  private final ChaosPlan plan;
  private final Injector injector;
  private final LoadLoop load;
  private final Episode episode;

  Session(ChaosPlan plan, ChaosServer server, Injector injector, LoadLoop load, Outages outages) {
    this.plan = plan;
    this.injector = injector;
    this.load = load;
    this.episode = new Episode(server, load, outages, injector, plan.patience());
  }

  /** Injects each alone, as often as the plan has rounds. */
  void alone(List<Fault> faults, Consumer<FaultResult> results)
      throws IOException, InterruptedException {
    Map<Fault, FaultWindows> windows = new LinkedHashMap<>();
    int children = 0;
    for (int round = 1; round <= plan.rounds(); round++) {
      load.connect();
      pause();
      for (Fault fault : faults) {
        List<String> isolated = ChaosRun.ISOLATED;
        aim(
            fault.place() == Place.CHILD
                ? isolated.get(children++ % isolated.size())
                : ChaosRun.WITHIN);
        FaultWindows seen = windows.computeIfAbsent(fault, f -> new FaultWindows(f.label()));
        calm(seen, Math.max(plan.windowMs(), seen.owedMs()));
        one(fault, seen);
        if (round == plan.rounds()) {
          calm(seen, seen.owedMs());
          settle(seen);
          results.accept(seen.result());
        }
        if (fault.losesInstance() || round < plan.rounds()) {
          // What comes next meets a model that no fault is remembered of.
          injector.reload();
          pause();
        }
      }
    }
  }

  /** What the load had to wait for while the models were prepared is answered before it counts. */
  private void pause() throws InterruptedException {
    TimeUnit.MILLISECONDS.sleep(Math.min(PAUSE_MS, plan.windowMs()));
  }

  private void aim(String victim) {
    injector.aim(victim);
    load.aim(Set.of(victim));
  }

  private void calm(FaultWindows seen, long ms) throws InterruptedException {
    if (ms > 0) {
      long takes = Math.min(ms, MOST_CALM_WINDOWS * plan.windowMs());
      load.window(seen.before());
      TimeUnit.MILLISECONDS.sleep(takes);
      load.window(seen.between());
      seen.before().settle(plan.patience().toMillis());
      seen.calm(takes);
    }
  }

  private void one(Fault fault, FaultWindows seen) throws IOException, InterruptedException {
    load.window(seen.during());
    long beganNs = System.nanoTime();
    Episode.Took took = episode.run(fault, seen.during());
    seen.took(took.detectMs(), took.recoverMs());
    long leftMs = plan.windowMs() - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - beganNs);
    TimeUnit.MILLISECONDS.sleep(Math.max(0, leftMs));
    load.window(seen.between());
    seen.disturbed(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - beganNs));
    seen.during().settle(plan.patience().toMillis());
    TimeUnit.MILLISECONDS.sleep(AFTER_MS);
  }

  /** Waits for the answers that are counted around the fault. */
  private void settle(FaultWindows seen) throws InterruptedException {
    load.window(new Tally());
    seen.between().settle(plan.patience().toMillis());
  }
}
