package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import dev.conveyor.models.device.sim.Tally;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Engines whose contexts keep on the device what batches they were made ready for. */
class ContextsTest {

  private static final long MIB = 1 << 20;
  private static final int BATCHES = 60;
  private static final SimulatedModel MODEL = new SimulatedModel(12, 8, 4, 3, 20_000, true);

  private final SplittableRandom random = new SplittableRandom(1);
  private final Tally tally = new Tally();
  private final MemoryBudget device = new MemoryBudget("gpu-0", 64 * MIB);
  private final MemoryBudget host = new MemoryBudget("host", 64 * MIB);
  private CudaSimulator simulator;
  private Cuda cuda;
  private BufferPool pinned;
  private DevicePool memory;
  private Block sizes;

  @BeforeEach
  void start() {
    simulator = Simulators.start("jitter_percent=500 latency_ns=30000 copy_ns=5000");
    cuda = simulator.cuda();
    PinnedAllocator allocator = new PinnedAllocator(cuda, host, "pinned");
    pinned = new BufferPool(allocator, 16 * MIB);
    memory = new DevicePool(cuda, 0, 4 * MIB, device, "slabs");
    sizes = allocator.allocate(Long.BYTES * (MODEL.maxBatchSize() + 1L));
    for (int items = 0; items <= MODEL.maxBatchSize(); items++) {
      sizes.buffer().order(ByteOrder.LITTLE_ENDIAN).putLong(items * Long.BYTES, items);
    }
  }

  /**
   * Sizes in turns, so that every slot comes to every size, and contexts that are shared do too.
   */
  private void run(boolean perGraph) {
    Pipeline pipeline =
        new Pipeline(
            cuda,
            MODEL.layout(),
            MODEL.slots(),
            0,
            memory,
            new PinnedAllocator(cuda, host, "staging"),
            pinned,
            new Engine(perGraph),
            tally);
    for (int i = 0; i < BATCHES; i++) {
      if (pipeline.freeSlots() == 0) {
        assertThat(pipeline.await()).isTrue();
      }
      List<SimulatedRequest> batch =
          List.of(SimulatedRequest.leased(MODEL, 1 + i / 3 % MODEL.maxBatchSize(), pinned, random));
      tally.submitting(batch);
      pipeline.submit(batch);
    }
    pipeline.close();
    memory.close();
    sizes.close();
    pinned.close();
    assertThat(tally.answered() + tally.wrong()).isEqualTo(BATCHES);
    assertThat(tally.unexpected() + tally.outOfOrder() + tally.open()).isZero();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
    assertThat(simulator.figure(0, Figure.GRAPHS)).isPositive();
  }

  @Test
  void shouldAnswerFromGraphsWhoseContextsWereMadeReadyForOthersMeanwhile() {
    run(true);
    assertThat(tally.wrong()).isZero();
  }

  /** What the other test would not see if the simulated device did not tell. */
  @Test
  void shouldFindOutWhereOneContextIsBehindEveryGraph() {
    run(false);
    assertThat(tally.wrong()).isPositive();
  }

  @Test
  void shouldGiveTheFirstOfThemToBatchesOfItsProfileAndNoOthers() {
    List<String> closed = new ArrayList<>();
    int[] made = {0};
    DeviceBatch batch = new Slab();
    try (Contexts<String> contexts =
        new Contexts<>(false, profile -> profile + "/" + made[0]++, closed::add)) {
      assertThat(contexts.prepare(2)).isEqualTo("2/0");
      assertThat(contexts.of(0, 1, batch)).isEqualTo("0/1");
      assertThat(contexts.of(2, 1, batch)).isEqualTo("2/0");
      assertThat(contexts.of(2, 5, batch)).isEqualTo("2/0");
    }
    assertThat(closed).containsExactlyInAnyOrder("0/1", "2/0");
  }

  private record Slab() implements DeviceBatch {
    @Override
    public long input(int index) {
      return 0;
    }

    @Override
    public long output(int index) {
      return 0;
    }
  }

  private final class Engine implements DeviceEngine {

    private final long own = cuda.newStream(0);
    private final Contexts<Context> contexts;

    Engine(boolean perGraph) {
      this.contexts = new Contexts<>(perGraph, profile -> new Context(own), Context::close);
      Context unused = contexts.prepare(0);
    }

    @Override
    public void enqueue(int items, DeviceBatch batch, long stream) {
      contexts.of(0, items, batch).enqueue(items, batch, stream);
    }

    @Override
    public boolean isCapturable() {
      return true;
    }

    @Override
    public void close() {
      contexts.close();
      cuda.awaitStream(own);
      cuda.destroyStream(own);
    }
  }

  private final class Context {

    private final long stream;
    private final long ready;
    private int readyFor;

    Context(long stream) {
      this.stream = stream;
      this.ready = memory.allocate(Long.BYTES, stream);
      cuda.awaitStream(stream);
    }

    void enqueue(int items, DeviceBatch batch, long on) {
      if (items != readyFor) {
        cuda.copyToDevice(ready, sizes.address() + (long) items * Long.BYTES, Long.BYTES, on);
        readyFor = items;
      }
      TestKernel.launch(
          on,
          items,
          batch.input(0),
          Integer.BYTES * (long) MODEL.inWords(),
          batch.output(0),
          Integer.BYTES * (long) MODEL.outWords(),
          MODEL.computeNs(),
          ready);
    }

    void close() {
      memory.free(ready, stream);
    }
  }
}
