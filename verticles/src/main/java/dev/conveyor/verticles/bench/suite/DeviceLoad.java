package dev.conveyor.verticles.bench.suite;

import com.sun.management.ThreadMXBean;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.device.Pipeline;
import dev.conveyor.models.device.PipelineListener;
import dev.conveyor.models.device.PipelinedInstance;
import dev.conveyor.models.device.sim.SimulatedInstance;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * Keeps one instance on the simulated device busy with full batches of single requests, whose
 * inputs are pinned. Not thread-safe.
 */
final class DeviceLoad implements AutoCloseable, PipelineListener {

  private static final long LEDGER_BYTES = 1L << 30;

  private final CudaSimulator simulator;
  private final SimulatedModel model;
  private final BufferPool pinned;
  private final SimulatedInstance instance;
  private final Pipeline pipeline;
  private final List<SimulatedRequest> requests = new ArrayList<>();
  private final Semaphore ended = new Semaphore(0);
  private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private volatile long waiter;
  private volatile @Nullable ExecutionException failed;

  /**
   * What a batch costs the host, on average.
   *
   * @param cpuNs CPU time of both threads
   * @param submitNs of the one that submits
   * @param heapBytes allocated by both threads
   * @param calls of the runtime
   */
  record Cost(double cpuNs, double submitNs, double heapBytes, double calls) {}

  /** Loads the model, on the thread that is to submit; the simulator must have been reset. */
  DeviceLoad(CudaSimulator simulator, SimulatedModel model) {
    this.simulator = simulator;
    this.model = model;
    MemoryBudget host = new MemoryBudget("host", LEDGER_BYTES);
    this.pinned =
        new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), LEDGER_BYTES);
    this.instance =
        new SimulatedInstance(
            simulator.cuda(),
            0,
            model,
            new MemoryBudget("gpu-0", LEDGER_BYTES),
            host,
            pinned,
            this);
    this.pipeline = instance.pipeline();
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < model.maxBatchSize(); i++) {
      requests.add(SimulatedRequest.leased(model, 1, pinned, random));
    }
  }

  @Override
  public void onResult(List<? extends BatchRequest> batch, BatchResult result) {
    waiter = Thread.currentThread().getId();
    for (int i = 0; i < result.outputs().size(); i++) {
      List<Tensor> outputs = result.outputs().get(i);
      for (int o = 0; o < outputs.size(); o++) {
        outputs.get(o).close();
      }
    }
    ended.release();
  }

  @Override
  public void onFailure(List<? extends BatchRequest> batch, ExecutionException failure) {
    failed = failure;
    ended.release();
  }

  private void refuseFailed() {
    ExecutionException failure = failed;
    if (failure != null) {
      throw failure;
    }
  }

  void runOnOneThread(int batches) {
    for (int i = 0; i < batches; i++) {
      runOne();
    }
    while (pipeline.await()) {
      refuseFailed();
    }
  }

  /** Submits a batch; if every slot is in flight, it takes the outputs of the oldest before. */
  void runOne() {
    if (pipeline.freeSlots() == 0) {
      boolean unused = pipeline.await();
      refuseFailed();
    }
    pipeline.submit(requests);
  }

  void runOnTwoThreads(int batches) throws InterruptedException {
    PipelinedInstance running =
        new PipelinedInstance("device-waiter", simulator.cuda(), 0, pipeline, false);
    submit(running, batches, model.slots());
    ended.acquire(model.slots());
    running.close();
    refuseFailed();
  }

  /** Returns the median of windows of so many batches, after as many to warm up. */
  Cost costOnTwoThreads(int windows, int batches) throws InterruptedException {
    PipelinedInstance running =
        new PipelinedInstance("device-waiter", simulator.cuda(), 0, pipeline, false);
    submit(running, windows * batches, model.slots());
    List<Cost> costs = new ArrayList<>();
    for (int i = 0; i < windows; i++) {
      costs.add(window(running, batches));
    }
    ended.acquire(model.slots());
    running.close();
    refuseFailed();
    costs.sort(Comparator.comparingDouble(Cost::cpuNs));
    return costs.get(windows / 2);
  }

  private Cost window(PipelinedInstance running, int batches) throws InterruptedException {
    final long self = Thread.currentThread().getId();
    final long other = waiter;
    final long callsBefore = simulator.figure(0, Figure.CALLS);
    final long heapBefore =
        threads.getThreadAllocatedBytes(self) + threads.getThreadAllocatedBytes(other);
    final long selfBefore = threads.getThreadCpuTime(self);
    final long otherBefore = threads.getThreadCpuTime(other);
    submit(running, batches, 0);
    final double submitNs = threads.getThreadCpuTime(self) - selfBefore;
    final double waitNs = threads.getThreadCpuTime(other) - otherBefore;
    final double heap =
        threads.getThreadAllocatedBytes(self) + threads.getThreadAllocatedBytes(other) - heapBefore;
    final double calls = simulator.figure(0, Figure.CALLS) - callsBefore;
    return new Cost(
        (submitNs + waitNs) / batches, submitNs / batches, heap / batches, calls / batches);
  }

  /** Submits, with as many batches in flight as there are slots; {@code free} are free now. */
  private void submit(PipelinedInstance running, int batches, int free)
      throws InterruptedException {
    for (int i = 0; i < batches; i++) {
      if (i >= free) {
        ended.acquire();
        refuseFailed();
      }
      running.submit(requests);
    }
  }

  @Override
  public void close() {
    instance.close(); // What is in flight still needs its requests.
    requests.forEach(SimulatedRequest::close);
    pinned.close();
  }
}
