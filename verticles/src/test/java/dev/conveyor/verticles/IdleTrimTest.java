package dev.conveyor.verticles;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.device.GpuPlace;
import dev.conveyor.models.device.Simulators;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** On the simulated device. */
final class IdleTrimTest {

  private static final int BYTES = 1 << 20;

  private final MemoryBudget device = new MemoryBudget("GPU0", 1L << 30);
  private final MemoryBudget host = new MemoryBudget("host", 1L << 30);
  private CudaSimulator simulator;
  private BufferPool outputs;
  private DevicePool pool;
  private long stream;
  private IdleTrim trim;

  @BeforeEach
  void begin() {
    simulator = Simulators.start("devices=1");
    Cuda cuda = simulator.cuda();
    outputs = new BufferPool(new PinnedAllocator(cuda, host, "outputs"), 1L << 30);
    pool = new DevicePool(cuda, 0, 1L << 26, device, "m/1/slabs");
    stream = cuda.newStream(0);
    Gpu gpu = new Gpu(0, "GPU-0", "Simulated GPU", 90, 1L << 30);
    GpuPlace place =
        new GpuPlace(cuda, gpu, device, host, outputs, false, (which, isolation) -> {});
    place.watch(pool);
    trim = new IdleTrim(place);
  }

  @AfterEach
  void end() {
    if (trim != null) {
      simulator.cuda().destroyStream(stream);
      pool.close();
      outputs.close();
      assertThat(trim.look()).isZero(); // Also of what is closed.
      assertThat(simulator.violationsAndLeaks()).isEmpty();
      simulator.reset("devices=0");
    }
  }

  private void batch() {
    pool.free(pool.allocate(BYTES, stream), stream);
    simulator.cuda().awaitStream(stream);
    outputs.acquire(BYTES).close();
  }

  @Test
  void shouldGiveBackOnceWhenNothingHasRunFromOneLookToTheNext() {
    batch();
    assertThat(trim.look()).isZero();
    assertThat(device.reservedBytes()).isPositive();

    assertThat(trim.look()).isGreaterThanOrEqualTo(2 * BYTES);

    assertThat(simulator.figure(0, Figure.TAKEN_BYTES)).isZero();
    assertThat(simulator.figure(0, Figure.PINNED_BYTES)).isZero();
    assertThat(device.reservedBytes()).isZero();
    assertThat(host.reservedBytes()).isZero();
    assertThat(trim.look()).isZero();
  }

  @Test
  void shouldKeepWhatIsUsedNowAndThen() {
    for (int i = 0; i < 5; i++) {
      batch();
      assertThat(trim.look()).isZero();
    }

    assertThat(simulator.figure(0, Figure.PINNED_BYTES)).isPositive();
  }

  @Test
  void shouldWaitForWhoeverHoldsOutputs() {
    Lease held = outputs.acquire(BYTES);
    assertThat(trim.look()).isZero();
    assertThat(trim.look()).isZero();

    held.close();

    assertThat(trim.look()).isGreaterThanOrEqualTo(BYTES);
  }
}
