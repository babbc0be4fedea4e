package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.device.sim.SimulatedInstance;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import dev.conveyor.models.device.sim.Tally;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Two threads and a device that runs in real time. */
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PipelinedInstanceTest {

  private static final long MIB = 1 << 20;
  private static final int BATCHES = 200;
  private static final SimulatedModel MODEL = new SimulatedModel(16, 16, 4, 3, 50_000);

  private final SplittableRandom random = new SplittableRandom(1);
  private final Tally tally = new Tally();
  private final Semaphore ended = new Semaphore(0);
  private final MemoryBudget device = new MemoryBudget("gpu-0", 64 * MIB);
  private final MemoryBudget host = new MemoryBudget("host", 64 * MIB);

  /** Counts, and then says that a batch has ended. */
  private final PipelineListener listener =
      new PipelineListener() {
        @Override
        public void onResult(List<? extends BatchRequest> requests, BatchResult result) {
          tally.onResult(requests, result);
          ended.release();
        }

        @Override
        public void onFailure(List<? extends BatchRequest> requests, ExecutionException failure) {
          tally.onFailure(requests, failure);
          ended.release();
        }
      };

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void shouldAnswerEveryBatchOnceFromItsOwnThread(boolean spins) throws Exception {
    CudaSimulator simulator = Simulators.start("real_time=1 copy_ns=5000 jitter_percent=200");
    BufferPool pinned =
        new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    SimulatedInstance loaded =
        new SimulatedInstance(simulator.cuda(), 0, MODEL, device, host, pinned, listener);
    PipelinedInstance instance =
        new PipelinedInstance("waiter", simulator.cuda(), 0, loaded.pipeline(), spins);
    for (int i = 0; i < BATCHES; i++) {
      if (i >= MODEL.slots()) {
        ended.acquire();
      }
      List<SimulatedRequest> batch =
          List.of(
              SimulatedRequest.leased(MODEL, 1, pinned, random),
              SimulatedRequest.leased(MODEL, 3, pinned, random));
      tally.submitting(batch);
      instance.submit(batch);
    }
    instance.close();
    loaded.close();
    pinned.close();

    assertThat(tally.answered()).isEqualTo(2 * BATCHES);
    assertThat(tally.wrong() + tally.unexpected() + tally.outOfOrder() + tally.open()).isZero();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }

  @Test
  void shouldFailWhatHangsAtOnceAndGiveItsMemoryBackWhenItEndsAfterAll() throws Exception {
    CudaSimulator simulator = Simulators.start("");
    BufferPool pinned =
        new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    SimulatedInstance loaded =
        new SimulatedInstance(simulator.cuda(), 0, MODEL, device, host, pinned, listener);
    CountDownLatch returned = new CountDownLatch(1);
    simulator.inject("cudaSimLaunch", 0, 0, Fault.HANGING);
    PipelinedInstance instance =
        new PipelinedInstance(
            "waiter", simulator.cuda(), 0, loaded.pipeline(), false, returned::countDown);
    List<SimulatedRequest> batch = List.of(SimulatedRequest.leased(MODEL, 1, pinned, random));
    tally.submitting(batch);
    instance.submit(batch);
    while (simulator.figure(0, Figure.WAITERS) == 0) {
      Thread.onSpinWait();
    }
    instance.abandon("no end in sight");
    ended.acquire();
    instance.close();

    assertThat(tally.failures()).hasSize(1);
    assertThat(tally.failures().get(0).kind()).isEqualTo(ExecutionException.Kind.INSTANCE_LOST);
    assertThat(simulator.figure(0, Figure.LIVE_BYTES)).as("the device may use it").isPositive();
    assertThat(pinned.leasedBytes()).isPositive();

    simulator.resume();
    returned.await();
    loaded.freeReturned();
    pinned.close();
    assertThat(tally.open() + tally.unexpected()).isZero();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }
}
