package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.cuda.GpuFigures;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.device.GpuModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * What one instance answers when every batch it may have in flight is full. Immutable.
 *
 * @param perSecond items
 * @param utilization that NVML told towards the end, 0 to 1; empty if it does not
 * @param smActivity share of the multiprocessors that were busy meanwhile; empty if NVML does not
 *     tell
 */
record Throughput(double perSecond, OptionalDouble utilization, OptionalDouble smActivity) {

  private static final int WARM_UP_BATCHES = 20;

  /** Runs batches of {@code batch} for {@code seconds}. */
  static Throughput measure(
      CheckSite site, GpuModel model, List<Item> items, int batch, double seconds)
      throws Exception {
    List<Item> full = new ArrayList<>();
    for (int i = 0; i < batch; i++) {
      full.add(items.get(i % items.size()));
    }
    long durationNs = (long) (seconds * 1e9);
    ExecutorService lanes = Executors.newFixedThreadPool(GpuModel.LANES);
    CyclicBarrier begin = new CyclicBarrier(GpuModel.LANES + 1);
    try {
      List<Future<Double>> rates = new ArrayList<>();
      for (int lane = 0; lane < GpuModel.LANES; lane++) {
        Callable<Double> work = () -> lane(model, full, begin, durationNs);
        rates.add(lanes.submit(work));
      }
      Optional<GpuFigures> figures = watch(site, begin, durationNs);
      double perSecond = 0;
      for (Future<Double> rate : rates) {
        perSecond += rate.get();
      }
      return new Throughput(
          perSecond,
          figures.map(GpuFigures::utilization).orElse(OptionalDouble.empty()),
          figures.map(GpuFigures::smActivity).orElse(OptionalDouble.empty()));
    } finally {
      lanes.shutdownNow();
    }
  }

  private static double lane(GpuModel model, List<Item> items, CyclicBarrier begin, long durationNs)
      throws Exception {
    List<Item> batch = new ArrayList<>(items); // Lanes are told apart by what they run.
    try (ModelExecutor executor = model.newExecutor(batch.size())) {
      for (int i = 0; i < WARM_UP_BATCHES; i++) {
        executor.execute(batch).discard();
      }
      begin.await();
      long beginNs = System.nanoTime();
      long batches = 0;
      while (System.nanoTime() - beginNs < durationNs) {
        executor.execute(batch).discard();
        batches++;
      }
      return batches * batch.size() * 1e9 / (System.nanoTime() - beginNs);
    } catch (RuntimeException e) {
      begin.reset(); // Or the others wait for this one for ever.
      throw e;
    }
  }

  /** NVML tells a mean over up to a second: so what it says close to the end is of this load. */
  private static Optional<GpuFigures> watch(CheckSite site, CyclicBarrier begin, long durationNs)
      throws InterruptedException {
    try {
      begin.await();
    } catch (BrokenBarrierException e) {
      return Optional.empty(); // A lane failed, and its future says why.
    }
    Optional<GpuFigures> unused = site.figures(); // Activity counts from one look to the next.
    TimeUnit.NANOSECONDS.sleep(durationNs * 9 / 10);
    return site.figures();
  }
}
