package dev.conveyor.verticles.chaos;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * One fault of one model, from its beginning until the model is well again.
 *
 * <p>Not thread-safe: owned by the thread that injects. Blocks.
 */
final class Episode {

  private static final long LEAST_PATIENCE_MS = 30_000;
  private static final long UNHEARD = Long.MIN_VALUE;

  private final ChaosServer server;
  private final LoadLoop load;
  private final Outages outages;
  private final Injector injector;
  private final long longestMs;

  /**
   * Creates what an injector's faults are watched with.
   *
   * @param patience of clients: who bears with answers that take longer does so here
   */
  Episode(
      ChaosServer server, LoadLoop load, Outages outages, Injector injector, Duration patience) {
    this.longestMs = Math.max(LEAST_PATIENCE_MS, patience.toMillis());
    this.server = server;
    this.load = load;
    this.outages = outages;
    this.injector = injector;
  }

  /**
   * How long it took, both infinite for never.
   *
   * @param detectMs to the server's decision; -1 if it need not decide
   * @param recoverMs until a request that was sent after that decision was answered right
   */
  record Took(double detectMs, double recoverMs) {}

  /**
   * Injects a fault and waits until it is over, but no longer than half a minute, or clients'
   * patience.
   */
  Took run(Fault fault, Tally tally) throws IOException, InterruptedException {
    String victim = injector.victim();
    CompletableFuture<Long> sleeps = server.events().next(Faults::isSleep);
    CompletableFuture<Long> decided =
        server.events().next(event -> fault.isDetectedBy(event, victim));
    if (fault.losesInstance()) {
      outages.begin(victim);
    }
    try {
      injector.inject(fault, tally, decided);
      double detectMs = fault.isDecided() ? detectMs(fault, sleeps, decided) : -1;
      return new Took(detectMs, recoverMs(injector.actedNs()));
    } finally {
      if (fault.losesInstance()) {
        outages.end(victim, System.nanoTime());
      }
      sleeps.cancel(false);
      decided.cancel(false);
    }
  }

  private double detectMs(
      Fault fault, CompletableFuture<Long> sleeps, CompletableFuture<Long> decided)
      throws InterruptedException {
    long decidedNs = heard(decided);
    // An execution that hangs has begun to before it is cut; workers do not tell when.
    long sinceNs = fault == Fault.HANG ? sleeps.getNow(injector.actedNs()) : injector.actedNs();
    return decidedNs == UNHEARD ? Double.POSITIVE_INFINITY : (decidedNs - sinceNs) / 1e6;
  }

  /** Returns how long since then it takes until a request that is sent from now on is answered. */
  double recoverMs(long sinceNs) throws InterruptedException {
    long fromNs = System.nanoTime();
    while (load.lastRightNs(injector.victim()) - fromNs <= 0) {
      if (System.nanoTime() - fromNs > TimeUnit.MILLISECONDS.toNanos(longestMs)) {
        return Double.POSITIVE_INFINITY;
      }
      TimeUnit.MILLISECONDS.sleep(1);
    }
    return (System.nanoTime() - sinceNs) / 1e6;
  }

  private long heard(CompletableFuture<Long> event) throws InterruptedException {
    try {
      return event.get(longestMs, TimeUnit.MILLISECONDS);
    } catch (TimeoutException | ExecutionException e) {
      return UNHEARD;
    }
  }
}
