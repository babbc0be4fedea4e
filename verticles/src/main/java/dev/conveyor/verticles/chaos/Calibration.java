package dev.conveyor.verticles.chaos;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Finds out what a server can do with this client. Stateless. */
final class Calibration {

  private static final int CLIENTS = 8;
  private static final long NS = TimeUnit.SECONDS.toNanos(2);

  private Calibration() {}

  /** Returns how many requests a second a few clients get answered that wait for each answer. */
  static double perSecond(Traffic traffic, List<String> models) throws InterruptedException {
    long startNs = System.nanoTime();
    long[] answered = new long[CLIENTS];
    List<Thread> clients = new ArrayList<>();
    for (int c = 0; c < CLIENTS; c++) {
      int client = c;
      Thread thread =
          new Thread(
              () -> {
                float[] row = new float[Traffic.WIDTH];
                while (System.nanoTime() - startNs < NS) {
                  row[0] = ++answered[client];
                  Answer unused =
                      traffic.send(models.get(client % models.size()), row, false).join();
                }
              },
              "chaos-calibration-" + c);
      clients.add(thread);
      thread.start();
    }
    long sum = 0;
    for (int c = 0; c < CLIENTS; c++) {
      clients.get(c).join();
      sum += answered[c];
    }
    return sum / ((System.nanoTime() - startNs) / 1e9);
  }
}
