package dev.conveyor.verticles.bench.direct;

import dev.conveyor.verticles.bench.load.CpuClock;
import dev.conveyor.verticles.bench.load.LaneResult;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPoint;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * Keeps some threads busy with one model and measures them.
 *
 * <p>Not thread-safe: one run, owned by the thread that calls {@link #run}, which blocks until the
 * window is over. The busy threads read only the phase, and keep their own figures.
 */
public final class DirectBench {

  private enum Phase {
    WARMUP,
    WINDOW,
    OVER
  }

  private final DirectModel model;
  private final int threads;
  private final CountDownLatch opened;
  private volatile Phase phase = Phase.WARMUP;

  private DirectBench(DirectModel model, int threads) {
    this.model = model;
    this.threads = threads;
    this.opened = new CountDownLatch(threads);
  }

  /**
   * Runs {@code model} on this many threads. The CPU time of the process is reported in the place
   * of the server's.
   */
  public static LoadPoint run(
      DirectModel model, int threads, Duration warmup, Duration duration, CpuClock cpu)
      throws InterruptedException {
    return new DirectBench(model, threads).measure(warmup, duration, cpu);
  }

  private LoadPoint measure(Duration warmup, Duration duration, CpuClock cpu)
      throws InterruptedException {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Future<Histogram>> workers = new ArrayList<>();
      Callable<Histogram> work = this::work;
      for (int i = 0; i < threads; i++) {
        workers.add(pool.submit(work));
      }
      opened.await();
      TimeUnit.NANOSECONDS.sleep(warmup.toNanos());
      OptionalDouble cpuBefore = cpu.seconds();
      long openNs = System.nanoTime();
      phase = Phase.WINDOW;
      TimeUnit.NANOSECONDS.sleep(duration.toNanos());
      phase = Phase.OVER;
      long windowNs = System.nanoTime() - openNs;
      OptionalDouble used = CpuClock.between(cpuBefore, cpu.seconds());
      return point(workers, windowNs, used);
    } finally {
      phase = Phase.OVER;
      pool.shutdown();
    }
  }

  private LoadPoint point(List<Future<Histogram>> workers, long windowNs, OptionalDouble cpu)
      throws InterruptedException {
    List<Histogram> parts = new ArrayList<>();
    for (Future<Histogram> worker : workers) {
      try {
        parts.add(worker.get());
      } catch (ExecutionException e) {
        throw new IllegalStateException("a run failed: " + e.getCause(), e.getCause());
      }
    }
    Histogram all = LoadPoint.merged(parts);
    LaneResult lane =
        new LaneResult(
            model.name(),
            model.items(),
            all.getTotalCount(),
            Map.of(),
            all,
            new Histogram(3),
            new Histogram(3));
    return new LoadPoint(
        new LoadPattern.Direct(threads), windowNs, List.of(lane), cpu, OptionalDouble.empty());
  }

  private Histogram work() {
    Histogram latencyNs = new Histogram(3);
    DirectRunner runner;
    try {
      runner = model.newRunner();
    } finally {
      opened.countDown();
    }
    try (runner) {
      while (phase != Phase.OVER) {
        long startNs = System.nanoTime();
        runner.run();
        long tookNs = System.nanoTime() - startNs;
        if (phase == Phase.WINDOW) {
          latencyNs.recordValue(tookNs);
        }
      }
    }
    return latencyNs;
  }
}
