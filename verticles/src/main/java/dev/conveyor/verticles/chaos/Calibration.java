package dev.conveyor.verticles.chaos;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** Finds out what a server can do with this client. Stateless. */
final class Calibration {

  private static final int CLIENTS = 8;
  private static final long WINDOW_NS = TimeUnit.SECONDS.toNanos(1);
  private static final int ENOUGH = 3;

  /** What a window answers more than the best before while both ends are still being compiled. */
  private static final double STILL_WARMING = 1.03;

  private Calibration() {}

  /**
   * Returns how many requests a second a few clients get answered that wait for each answer, once
   * that grows no more. In its first seconds a server answers a tenth of that, since it and the
   * client are still being compiled; and what they wait for the compilers would pass for the effect
   * of a fault.
   *
   * @param mostWindows how many seconds that may take at most
   */
  static double perSecond(Traffic traffic, List<String> models, long mostWindows)
      throws InterruptedException {
    double best = 0;
    double sinceBest = 0;
    int windows = 0;
    for (int i = 0; windows < ENOUGH && i < mostWindows; i++) {
      double next = window(traffic, models);
      if (next > STILL_WARMING * best) {
        best = next;
        sinceBest = next;
        windows = 1;
      } else {
        sinceBest += next;
        windows++;
      }
    }
    return sinceBest / windows;
  }

  private static double window(Traffic traffic, List<String> models) throws InterruptedException {
    long startNs = System.nanoTime();
    AtomicLong answered = new AtomicLong();
    CountDownLatch running = new CountDownLatch(CLIENTS);
    for (int c = 0; c < CLIENTS; c++) {
      ask(traffic, models.get(c % models.size()), startNs + WINDOW_NS, answered, running);
    }
    running.await();
    return answered.get() / ((System.nanoTime() - startNs) / 1e9);
  }

  /** One client; each answer sends the next request from the client's own event loop. */
  private static void ask(
      Traffic traffic, String model, long endNs, AtomicLong answered, CountDownLatch running) {
    float[] row = new float[Traffic.WIDTH];
    row[0] = answered.get() % 1_000_000;
    var unused =
        traffic
            .send(model, row, sentNs -> false)
            .thenAccept(
                reply -> {
                  answered.incrementAndGet();
                  if (System.nanoTime() - endNs < 0) {
                    ask(traffic, model, endNs, answered, running);
                  } else {
                    running.countDown();
                  }
                });
  }
}
