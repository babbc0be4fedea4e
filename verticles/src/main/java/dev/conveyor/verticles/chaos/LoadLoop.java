package dev.conveyor.verticles.chaos;

import dev.conveyor.verticles.chaos.Answer.Outcome;
import dev.conveyor.verticles.chaos.Traffic.Reply;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * Keeps models under load at a steady rate, each in turn, and tallies the answers.
 *
 * <p>Thread-safe. Owns one thread from {@link #start} to {@link #close}. So that a server that
 * answers nothing does not fill this process, a bounded number of requests is under way.
 */
final class LoadLoop implements AutoCloseable {

  private static final int MOST_IN_FLIGHT = 2000;

  private final Traffic traffic;
  private final List<String> models;
  private final long periodNs;
  private final Semaphore inFlight = new Semaphore(MOST_IN_FLIGHT);
  private final AtomicLong next = new AtomicLong();
  private final Thread thread = new Thread(this::run, "chaos-load");
  private volatile String victim;
  private volatile Tally tally = new Tally();
  private volatile boolean faulty;
  private volatile boolean stopped;
  private volatile long lastRightOfVictimNs;

  private LoadLoop(Traffic traffic, List<String> models, String victim, double perSecond) {
    this.traffic = traffic;
    this.models = models;
    this.victim = victim;
    this.periodNs = Math.max(1, (long) (1e9 / perSecond));
  }

  static LoadLoop start(Traffic traffic, List<String> models, String victim, double perSecond) {
    LoadLoop loop = new LoadLoop(traffic, models, victim, perSecond);
    loop.thread.setDaemon(true);
    loop.thread.start();
    return loop;
  }

  /** From now on faults concern this model. */
  void aim(String model) {
    victim = model;
    lastRightOfVictimNs = System.nanoTime();
  }

  /**
   * Begins a window: requests sent from now on count there.
   *
   * @param faults whether requests to the victim may be told to come again
   * @param into where they count
   */
  void window(boolean faults, Tally into) {
    faulty = faults;
    tally = into;
  }

  /** Waits until everything that was sent is answered. */
  void settle() throws InterruptedException {
    if (inFlight.tryAcquire(MOST_IN_FLIGHT, 30, TimeUnit.SECONDS)) {
      inFlight.release(MOST_IN_FLIGHT);
    }
  }

  /** Returns when the victim's latest request was sent that was answered right. */
  long lastRightOfVictimNs() {
    return lastRightOfVictimNs;
  }

  @Override
  public void close() {
    stopped = true;
  }

  private void run() {
    long dueNs = System.nanoTime();
    for (int i = 0; !stopped; i++) {
      dueNs += periodNs;
      long aheadNs = dueNs - System.nanoTime();
      if (aheadNs > 0) {
        LockSupport.parkNanos(aheadNs);
      } else if (aheadNs < -TimeUnit.SECONDS.toNanos(1)) {
        dueNs = System.nanoTime(); // Held up ourselves: that load is not made up for.
      }
      if (inFlight.tryAcquire()) {
        sendOne(models.get(i % models.size()));
      }
    }
  }

  private void sendOne(String model) {
    float[] row = new float[Traffic.WIDTH];
    row[0] = next.incrementAndGet() % 1_000_000;
    for (int i = 1; i < row.length; i++) {
      row[i] = ThreadLocalRandom.current().nextFloat();
    }
    boolean ofVictim = model.equals(victim);
    Tally window = tally;
    CompletableFuture<Reply> unused =
        traffic
            .send(model, row, ofVictim && faulty)
            .whenComplete(
                (reply, failure) -> {
                  inFlight.release();
                  if (reply == null) {
                    window.count(Answer.lost(model + ": " + failure), !ofVictim, 0);
                    return;
                  }
                  if (ofVictim && reply.answer().outcome() == Outcome.RIGHT) {
                    lastRightOfVictimNs = reply.sentNs();
                  }
                  window.count(reply.answer(), !ofVictim, reply.doneNs() - reply.sentNs());
                });
  }
}
