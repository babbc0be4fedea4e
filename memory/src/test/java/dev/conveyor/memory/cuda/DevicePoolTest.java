package dev.conveyor.memory.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DevicePoolTest {

  private static final long MIB = 1 << 20;
  private static final int ILLEGAL_ADDRESS = 700;

  private CudaSimulator simulator;
  private Cuda cuda;
  private MemoryBudget budget;
  private long stream;

  @BeforeEach
  void start() {
    simulator = Simulators.start("device_bytes=" + 64 * MIB);
    cuda = simulator.cuda();
    budget = new MemoryBudget("gpu-0", 32 * MIB);
    stream = cuda.newStream(0);
  }

  private DevicePool pool(long maxBytes) {
    return new DevicePool(cuda, 0, maxBytes, budget, "model/slabs");
  }

  private long taken() {
    return simulator.figure(0, Figure.TAKEN_BYTES);
  }

  @Test
  void shouldReserveWhatItHasTakenFromTheDevice() {
    try (DevicePool pool = pool(16 * MIB)) {
      long address = pool.allocate(5 * MIB, stream);
      assertThat(budget.reservedBytes()).isEqualTo(taken()).isGreaterThanOrEqualTo(5 * MIB);
      assertThat(pool.takenBytes()).isEqualTo(taken());
      pool.free(address, stream);
      cuda.awaitStream(stream);
      assertThat(budget.reservedBytes()).as("kept for the next one").isEqualTo(taken());
      pool.trim();
      assertThat(budget.reservedBytes()).isEqualTo(taken()).isZero();
    }
  }

  @Test
  void shouldGiveEverythingBackWhenClosed() {
    final long before = cuda.freeBytes();
    DevicePool pool = pool(16 * MIB);
    pool.preallocate(8 * MIB, stream);
    assertThat(cuda.freeBytes()).isEqualTo(before - 8 * MIB);
    pool.free(pool.allocate(8 * MIB, stream), stream);
    cuda.awaitStream(stream);
    assertThat(cuda.freeBytes()).as("nothing more was taken").isEqualTo(before - 8 * MIB);
    pool.close();
    pool.close();
    cuda.destroyStream(stream);

    assertThat(cuda.freeBytes()).isEqualTo(before);
    assertThat(budget.holders()).isEmpty();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldRefuseMoreThanItsCap() {
    try (DevicePool pool = pool(4 * MIB)) {
      assertThatThrownBy(() -> pool.allocate(5 * MIB, stream))
          .isInstanceOfSatisfying(CudaException.class, e -> assertThat(e.isOutOfMemory()).isTrue());
      assertThat(budget.reservedBytes()).isZero();
    }
  }

  @Test
  void shouldTakeNothingThatTheLedgerRefuses() {
    try (DevicePool pool = pool(64 * MIB)) {
      long kept = pool.allocate(20 * MIB, stream);
      assertThatThrownBy(() -> pool.allocate(20 * MIB, stream))
          .isInstanceOf(BudgetExceededException.class)
          .hasMessageContaining("model/slabs");
      assertThat(budget.reservedBytes()).isEqualTo(taken()).isEqualTo(20 * MIB);
      pool.free(kept, stream);
      cuda.awaitStream(stream);
    }
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldEndItsReservationWhenTheDeviceIsLost() {
    DevicePool pool = pool(4 * MIB);
    pool.preallocate(MIB, stream);
    simulator.inject("*", 0, ILLEGAL_ADDRESS, Fault.STICKY);
    pool.close();
    assertThat(budget.reservedBytes()).isZero();
  }

  @Test
  void shouldLendPinnedMemoryFromTheBuffersOfAPool() {
    MemoryBudget host = new MemoryBudget("host", MIB);
    try (BufferPool buffers = new BufferPool(new PinnedAllocator(cuda, host, "pinned"), MIB)) {
      Lease lease = buffers.acquire(100);
      lease.buffer().putLong(0, 42);
      assertThat(lease.isPinned()).isTrue();
      assertThat(host.reservedBytes())
          .isEqualTo(simulator.figure(0, Figure.PINNED_BYTES))
          .isEqualTo(4096);
      lease.close();
    }
    assertThat(host.reservedBytes()).isZero();
    assertThat(simulator.figure(0, Figure.PINNED_BYTES)).isZero();
  }

  @Test
  void shouldReserveNothingWhenTheSystemHasNoPinnedMemory() {
    MemoryBudget host = new MemoryBudget("host", MIB);
    simulator.inject("cudaHostAlloc", 0, 2, Fault.RETURNED);
    assertThatThrownBy(() -> new PinnedAllocator(cuda, host, "pinned").allocate(100))
        .isInstanceOf(CudaException.class);
    assertThat(host.reservedBytes()).isZero();
  }
}
