package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.device.sim.SimulatedInstance;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import dev.conveyor.models.device.sim.Tally;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Batches whose computation is captured and launched as a graph. */
class GraphsTest {

  private static final long MIB = 1 << 20;
  private static final int BATCHES = 60;
  private static final int CAPTURE_UNSUPPORTED = 900;
  private static final SimulatedModel MODEL = new SimulatedModel(12, 8, 4, 3, 20_000, true);

  private final SplittableRandom random = new SplittableRandom(1);
  private final Tally tally = new Tally();
  private final MemoryBudget device = new MemoryBudget("gpu-0", 64 * MIB);
  private final MemoryBudget host = new MemoryBudget("host", 64 * MIB);
  private CudaSimulator simulator;
  private BufferPool pinned;

  @BeforeEach
  void start() {
    simulator = Simulators.start("jitter_percent=500 latency_ns=30000 copy_ns=5000");
    pinned = new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
  }

  /** Sizes in turns, so that every slot comes to every size. */
  private void run() {
    SimulatedInstance loaded =
        new SimulatedInstance(simulator.cuda(), 0, MODEL, device, host, pinned, tally);
    Pipeline pipeline = loaded.pipeline();
    for (int i = 0; i < BATCHES; i++) {
      if (pipeline.freeSlots() == 0) {
        assertThat(pipeline.await()).isTrue();
      }
      List<SimulatedRequest> batch =
          List.of(SimulatedRequest.leased(MODEL, 1 + i / 3 % MODEL.maxBatchSize(), pinned, random));
      tally.submitting(batch);
      pipeline.submit(batch);
    }
    loaded.close();
    pinned.close();
  }

  @Test
  void shouldAnswerTheSameFromGraphs() {
    run();

    int perSize = 3; // Slots, each of which runs every size once as it is.
    assertThat(simulator.figure(0, Figure.GRAPHS))
        .isEqualTo(BATCHES - (long) perSize * MODEL.maxBatchSize());
    assertThat(simulator.figure(0, Figure.KERNELS)).isEqualTo(BATCHES);
    assertThat(tally.answered()).isEqualTo(BATCHES);
    assertThat(tally.wrong() + tally.unexpected() + tally.outOfOrder() + tally.open()).isZero();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"cudaStreamBeginCapture", "cudaGraphInstantiate"})
  void shouldGoOnCallByCallWhereNothingCanBeCaptured(String call) {
    simulator.inject(call, 0, CAPTURE_UNSUPPORTED, Fault.RETURNED);

    run();

    assertThat(tally.answered()).isEqualTo(BATCHES);
    assertThat(simulator.figure(0, Figure.GRAPHS)).isZero();
    assertThat(tally.wrong() + tally.open()).isZero();
  }
}
