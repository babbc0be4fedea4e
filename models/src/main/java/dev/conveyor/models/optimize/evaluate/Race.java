package dev.conveyor.models.optimize.evaluate;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Measures how long several things take, in turns: one run of each per round, in an order that
 * rotates, so that whatever else the machine does hits all alike. Stateless.
 *
 * <p>Two clocks run: the wall's, for latency, and the CPU time of the calling thread, which a busy
 * machine stretches much less and which is all the time there is when a run uses one thread.
 */
public final class Race {

  private static final int MIN_ROUNDS = 5;

  private Race() {}

  /** Something to measure. */
  public record Contestant(String name, Runnable run) {}

  /** The times of one contestant, one per round, in nanoseconds. Not thread-safe. */
  public static final class Times {

    private final List<Long> wall = new ArrayList<>();
    private final List<Long> cpu = new ArrayList<>();

    void add(long wallNs, long cpuNs) {
      wall.add(wallNs);
      cpu.add(cpuNs);
    }

    public int rounds() {
      return wall.size();
    }

    /** Returns the wall time that so many of the runs stayed within, {@code share} from 0 to 1. */
    public long percentileNs(double share) {
      List<Long> sorted = wall.stream().sorted().toList();
      int index = (int) Math.ceil(share * sorted.size()) - 1;
      return sorted.get(Math.max(0, Math.min(sorted.size() - 1, index)));
    }

    public long medianNs() {
      return percentileNs(0.5);
    }

    /** Returns the median over the rounds of the other's wall time by this one's. */
    public double speedUpOver(Times other) {
      return medianRatio(other.wall, wall);
    }

    /** Returns the median over the rounds of the other's CPU time by this one's. */
    public double cpuSpeedUpOver(Times other) {
      return medianRatio(other.cpu, cpu);
    }

    private static double medianRatio(List<Long> slow, List<Long> fast) {
      double[] ratios = new double[Math.min(slow.size(), fast.size())];
      for (int i = 0; i < ratios.length; i++) {
        ratios[i] = (double) slow.get(i) / Math.max(1, fast.get(i));
      }
      Arrays.sort(ratios);
      return ratios[ratios.length / 2];
    }
  }

  /**
   * Measures for about a given time, and at least a few rounds.
   *
   * @param warmups runs of each beforehand that are not counted
   * @return the times by name, in the order given
   */
  public static Map<String, Times> run(
      List<Contestant> contestants, int warmups, Duration duration) {
    for (int i = 0; i < warmups; i++) {
      contestants.forEach(c -> c.run().run());
    }
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    Map<String, Times> times = new LinkedHashMap<>();
    contestants.forEach(c -> times.put(c.name(), new Times()));
    long start = System.nanoTime();
    for (int round = 0;
        round < MIN_ROUNDS || System.nanoTime() - start < duration.toNanos();
        round++) {
      for (int i = 0; i < contestants.size(); i++) {
        Contestant turn = contestants.get((i + round) % contestants.size());
        long wall = System.nanoTime();
        long cpu = threads.getCurrentThreadCpuTime();
        turn.run().run();
        long usedCpu = threads.getCurrentThreadCpuTime() - cpu;
        Objects.requireNonNull(times.get(turn.name())).add(System.nanoTime() - wall, usedCpu);
      }
    }
    return times;
  }
}
