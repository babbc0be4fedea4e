package dev.conveyor.scheduler.admission;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Why the guard keeps the order of arrival: against taking the newest request first while it sees
 * an overload (adaptive LIFO), under virtual time. One device runs batches of up to 32 in 2 ms and
 * 0.1 ms per item; clients without a deadline come at random and lose interest after 100 ms.
 */
final class StandingQueueOrderTest {

  private static final double MS = 1e6;
  private static final double TARGET_NS = 20 * MS;
  private static final double INTERVAL_NS = 100 * MS;
  private static final double PATIENCE_NS = 100 * MS;
  private static final double ARRIVALS_END_NS = 20_000 * MS;
  private static final int LARGEST_BATCH = 32;
  private static final double PER_NS = LARGEST_BATCH / batchNs(LARGEST_BATCH);

  private record Seen(double inPatience, double p99Ns) {}

  @ParameterizedTest
  @ValueSource(doubles = {0.95, 1.2, 2})
  void shouldAnswerAsManyInTheOrderOfArrivalAsNewestFirst(double load) {
    Seen oldestFirst = serve(load, false);
    Seen newestFirst = serve(load, true);

    assertThat(oldestFirst.inPatience())
        .isGreaterThan(0.98 * Math.min(1, 1 / load))
        .isGreaterThan(newestFirst.inPatience() - 0.005);
    assertThat(oldestFirst.p99Ns()).isLessThan(TARGET_NS + 2 * batchNs(LARGEST_BATCH));
  }

  private static double batchNs(int items) {
    return (2 + 0.1 * items) * MS;
  }

  private static Seen serve(double load, boolean newestFirst) {
    SplittableRandom random = new SplittableRandom(7);
    StandingQueueGuard guard = new StandingQueueGuard((long) TARGET_NS, (long) INTERVAL_NS);
    ArrayDeque<Double> queue = new ArrayDeque<>();
    List<Double> latencyNs = new ArrayList<>();
    double freeNs = 0;
    double nextNs = 0;
    long arrived = 0;
    long inPatience = 0;
    while (nextNs < ARRIVALS_END_NS) {
      while (nextNs <= freeNs || queue.isEmpty()) {
        if (queue.isEmpty()) {
          guard.onEmpty();
          freeNs = Math.max(freeNs, nextNs);
        }
        arrived++;
        if (!guard.isOverloaded() || queue.size() / PER_NS <= TARGET_NS) {
          queue.addLast(nextNs);
        }
        nextNs += random.nextExponential() / (load * PER_NS);
      }
      while (guard.isOverloaded() && !queue.isEmpty() && freeNs - queue.getFirst() > TARGET_NS) {
        queue.removeFirst();
      }
      if (!queue.isEmpty()) {
        int items = Math.min(LARGEST_BATCH, queue.size());
        double startNs = freeNs;
        boolean fromBehind = newestFirst && guard.isOverloaded();
        freeNs = startNs + batchNs(items);
        double newestNs = 0;
        for (int i = 0; i < items; i++) {
          double cameNs = fromBehind ? queue.removeLast() : queue.removeFirst();
          newestNs = Math.max(newestNs, cameNs);
          latencyNs.add(freeNs - cameNs);
          inPatience += freeNs - cameNs <= PATIENCE_NS ? 1 : 0;
        }
        guard.onBatch((long) (startNs - newestNs), queue.size(), (long) startNs);
      }
    }
    Collections.sort(latencyNs);
    return new Seen((double) inPatience / arrived, latencyNs.get((int) (0.99 * latencyNs.size())));
  }
}
