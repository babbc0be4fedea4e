package dev.conveyor.verticles.chaos;

import dev.conveyor.verticles.chaos.Answer.Outcome;
import dev.conveyor.verticles.chaos.Traffic.Reply;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Keeps models under load at a steady rate, each in turn, and tallies the answers. Latencies count
 * from when a request was due, so that what holds up the client is no discount for the server.
 *
 * <p>Thread-safe. Owns one thread from {@link #start} to {@link #close}. So that a model that
 * answers nothing does not fill this process, a bounded number of requests to each is under way;
 * what is due beyond that is not sent, and counted.
 */
final class LoadLoop implements AutoCloseable {

  /** For each of the three models; together they fit into the connections of {@link Traffic}. */
  private static final int MOST_IN_FLIGHT = 1000;

  /** What is later than this is not made up for. */
  private static final long MOST_LATE_NS = TimeUnit.SECONDS.toNanos(1);

  private final Traffic traffic;
  private final List<String> models;
  private final Outages outages;
  private final long periodNs;
  private final Map<String, Semaphore> rooms;
  private final Map<String, AtomicLong> lastRightNs;
  private final AtomicLong next = new AtomicLong();
  private final Thread thread = new Thread(this::run, "chaos-load");
  private volatile Set<String> victims = Set.of();
  private volatile Tally tally = new Tally();
  private volatile boolean stopped;

  private LoadLoop(Traffic traffic, List<String> models, Outages outages, double perSecond) {
    this.traffic = traffic;
    this.models = models;
    this.outages = outages;
    this.periodNs = Math.max(1, (long) (1e9 / perSecond));
    this.rooms =
        models.stream()
            .collect(Collectors.toMap(Function.identity(), m -> new Semaphore(MOST_IN_FLIGHT)));
    long nowNs = System.nanoTime();
    this.lastRightNs =
        models.stream().collect(Collectors.toMap(Function.identity(), m -> new AtomicLong(nowNs)));
  }

  static LoadLoop start(Traffic traffic, List<String> models, Outages outages, double perSecond) {
    LoadLoop loop = new LoadLoop(traffic, models, outages, perSecond);
    loop.connect(); // While nothing waits: what waits would open connections, too.
    loop.thread.setDaemon(true);
    loop.thread.start();
    traffic.meter(lateNs -> loop.tally.stalled(lateNs));
    return loop;
  }

  /** Has a connection open for each request that may be under way. Blocks. */
  void connect() {
    traffic.connect(models.size() * MOST_IN_FLIGHT);
  }

  /** From now on faults concern these models; the others are untouched. */
  void aim(Set<String> models) {
    victims = Set.copyOf(models);
  }

  /** Begins a window: requests that are due from now on count there. */
  void window(Tally into) {
    tally = into;
  }

  /** Returns when the model's latest request was sent that was answered right. */
  long lastRightNs(String model) {
    return of(lastRightNs, model).get();
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
      } else if (aheadNs < -MOST_LATE_NS) {
        tally.skip(-aheadNs / periodNs);
        dueNs -= aheadNs;
      }
      String model = models.get(i % models.size());
      Tally window = tally;
      if (of(rooms, model).tryAcquire()) {
        sendOne(model, dueNs, window);
      } else {
        window.skip(1);
      }
    }
  }

  private void sendOne(String model, long dueNs, Tally window) {
    float[] row = new float[Traffic.WIDTH];
    row[0] = next.incrementAndGet() % 1_000_000;
    for (int i = 1; i < row.length; i++) {
      row[i] = ThreadLocalRandom.current().nextFloat();
    }
    boolean untouched = !victims.contains(model);
    window.begin();
    CompletableFuture<Reply> unused =
        traffic
            .send(model, row, sentNs -> outages.covers(model, sentNs))
            .whenComplete(
                (reply, failure) -> {
                  of(rooms, model).release();
                  if (reply == null) {
                    window.count(Answer.lost(model + ": " + failure), untouched, 0);
                  } else {
                    if (reply.answer().outcome() == Outcome.RIGHT) {
                      of(lastRightNs, model).set(reply.sentNs());
                    }
                    window.count(reply.answer(), untouched, reply.doneNs() - dueNs);
                  }
                  window.end();
                });
  }

  private static <T> T of(Map<String, T> each, String model) {
    T one = each.get(model);
    if (one == null) {
      throw new IllegalArgumentException("no load on " + model);
    }
    return one;
  }
}
