package dev.conveyor.memory.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.memory.cuda.sim.TestKernel;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The simulated device must catch what it is there to catch. */
class CudaSimulatorTest {

  private static final int BYTES = 64;
  private static final int LAUNCH_FAILURE = 719;
  private static final int OUT_OF_MEMORY = 2;

  private CudaSimulator simulator;
  private Cuda cuda;
  private long stream;
  private long other;
  private long pool;

  @BeforeEach
  void start() {
    begin("devices=2 copy_ns=1000");
  }

  private void begin(String settings) {
    simulator = Simulators.start(settings);
    cuda = simulator.cuda();
    stream = cuda.newStream(0);
    other = cuda.newStream(0);
    pool = cuda.newPool(0, 1 << 20);
  }

  private long memory() {
    long address = cuda.allocate(pool, BYTES, stream);
    cuda.awaitStream(stream);
    return address;
  }

  private Block pinned() {
    return new PinnedAllocator(cuda, new MemoryBudget("host", 1 << 20), "test").allocate(BYTES);
  }

  @Test
  void shouldRunCopiesOnlyWhenSomebodyWaits() {
    Block in = pinned();
    Block out = pinned();
    long device = memory();
    in.buffer().putInt(0, 42);

    cuda.copyToDevice(device, in.address(), BYTES, stream);
    cuda.copyToHost(out.address(), device, BYTES, stream);

    assertThat(out.buffer().getInt(0)).isNotEqualTo(42);
    cuda.awaitStream(stream);
    assertThat(out.buffer().getInt(0)).isEqualTo(42);
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldShowWrongDataWhenNobodyWaitsForAnotherStream() {
    assertThat(throughTwoStreams(false)).isNotEqualTo(TestKernel.expected(new int[] {7}, 1)[0]);
  }

  @Test
  void shouldShowRightDataWhenAnEventIsWaitedFor() {
    assertThat(throughTwoStreams(true)).isEqualTo(TestKernel.expected(new int[] {7}, 1)[0]);
  }

  private int throughTwoStreams(boolean waits) {
    Block host = pinned();
    long in = memory();
    long out = memory();
    long copied = cuda.newEvent();
    host.buffer().putInt(0, 7);
    cuda.copyToDevice(in, host.address(), 4, stream);
    cuda.record(copied, stream);
    if (waits) {
      cuda.waitFor(copied, other);
    }
    TestKernel.launch(other, 1, in, 4, out, 4, 1000);
    cuda.copyToHost(host.address(), out, 4, other);
    cuda.awaitStream(other);
    return host.buffer().getInt(0);
  }

  @Test
  void shouldReadPinnedMemoryLateAndOrdinaryMemoryAtOnce() {
    Block pinned = pinned();
    Block pageable = BlockAllocator.host().allocate(BYTES);
    long a = memory();
    long b = memory();
    pinned.buffer().putInt(0, 1);
    pageable.buffer().putInt(0, 1);
    cuda.copyToDevice(a, pinned.address(), 4, stream);
    cuda.copyToDevice(b, pageable.address(), 4, stream);
    pinned.buffer().putInt(0, 2);
    pageable.buffer().putInt(0, 2);
    Block out = pinned();
    cuda.copyToHost(out.address(), a, 4, stream);
    cuda.copyToHost(out.address() + 4, b, 4, stream);
    cuda.awaitStream(stream);

    assertThat(out.buffer().getInt(0)).isEqualTo(2);
    assertThat(out.buffer().getInt(4)).isEqualTo(1);
    assertThat(simulator.figure(0, Figure.PAGEABLE_COPIES)).isEqualTo(1);
    pageable.close();
  }

  @Test
  void shouldReportEveryLeak() {
    pinned();
    long event = cuda.newEvent();
    memory();
    assertThat(event).isNotZero();

    assertThat(simulator.violationsAndLeaks())
        .contains("of the host")
        .contains("of device 0")
        .contains("a stream of device 0")
        .contains("an event of device 0")
        .contains("a pool of device 0");
  }

  @Test
  void shouldReportNothingWhenAllIsGivenBack() {
    Block block = pinned();
    long event = cuda.newEvent();
    long address = memory();
    cuda.record(event, stream);
    cuda.awaitEvent(event);
    cuda.free(address, stream);
    cuda.awaitStream(stream);
    block.close();
    cuda.destroyEvent(event);
    cuda.destroyPool(pool);
    cuda.destroyStream(stream);
    cuda.destroyStream(other);

    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(simulator.figure(0, Figure.TAKEN_BYTES)).isZero();
  }

  @Test
  void shouldReportDoubleFree() {
    long address = memory();
    cuda.free(address, stream);
    assertThatThrownBy(() -> cuda.free(address, stream)).isInstanceOf(CudaException.class);
    assertThat(simulator.violations()).contains("double free");
  }

  @Test
  void shouldReportUseAfterFree() {
    long address = memory();
    Block block = pinned();
    cuda.free(address, stream);
    cuda.copyToDevice(address, block.address(), 4, stream);
    cuda.awaitStream(stream);
    assertThat(simulator.violations()).contains("after free");
  }

  @Test
  void shouldReportPinnedMemoryThatIsFreedUnderACopy() {
    long address = memory();
    Block block = pinned();
    cuda.copyToHost(block.address(), address, 4, stream);
    block.close();
    cuda.awaitStream(stream);
    assertThat(simulator.violations()).contains("copy target").contains("after free");
  }

  @Test
  void shouldReportUseBeforeTheAllocationOfAnotherStream() {
    Block block = pinned();
    cuda.copyToDevice(memory(), block.address(), 4, stream);
    long late = cuda.allocate(pool, BYTES, stream);
    TestKernel.launch(other, 1, late, 4, late, 4, 10);
    cuda.awaitStream(other);
    assertThat(simulator.violations()).contains("before its allocation");
  }

  @Test
  void shouldReportMemoryOfAnotherDevice() {
    long address = memory();
    Block block = pinned();
    cuda.useDevice(1);
    long elsewhere = cuda.newStream(0);
    cuda.copyToDevice(address, block.address(), 4, elsewhere);
    cuda.awaitStream(elsewhere);
    assertThat(simulator.violations()).contains("memory of device 0 used on device 1");
  }

  @Test
  void shouldLetAnotherDeviceIntoAPoolThatWasOpenedToIt() {
    long address = memory();
    Block block = pinned();
    assertThat(cuda.canAccessPeer(1, 0)).isTrue();
    cuda.openPool(pool, 1);
    cuda.useDevice(1);
    long elsewhere = cuda.newStream(0);
    cuda.copyToDevice(address, block.address(), 4, elsewhere);
    cuda.awaitStream(elsewhere);
    assertThat(simulator.violations()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void shouldCopyBetweenDevicesInTheOrderOfTheStreamOnly(boolean waits) {
    long address = memory();
    long written = cuda.newEvent();
    Block block = pinned();
    block.buffer().putInt(0, 42);
    cuda.useDevice(1);
    long elsewhere = cuda.newStream(0);
    long far = cuda.allocate(cuda.newPool(1, BYTES), BYTES, elsewhere);
    Block read = pinned();
    cuda.awaitStream(elsewhere);

    cuda.copyToDevice(address, read.address(), BYTES, stream);
    cuda.copyToDevice(address, block.address(), BYTES, stream);
    cuda.record(written, stream);
    if (waits) {
      cuda.waitFor(written, elsewhere);
    }
    cuda.copyFromPeer(far, 1, address, 0, BYTES, elsewhere);
    cuda.copyToHost(read.address(), far, BYTES, elsewhere);
    cuda.awaitStream(elsewhere);

    assertThat(read.buffer().getInt(0) == 42).isEqualTo(waits);
    assertThat(simulator.violations()).isEmpty();
    assertThat(simulator.figure(1, Figure.STAGED_BYTES)).as("it is not open").isEqualTo(BYTES);
  }

  @Test
  void shouldReportPeerCopiesOfMemoryThatIsNotWhereItIsSaidToBe() {
    long address = memory();
    assertThatThrownBy(() -> cuda.copyFromPeer(address, 1, address, 0, BYTES, stream))
        .isInstanceOf(CudaException.class);
    assertThat(simulator.violations()).contains("are not memory of devices 0 and 1");
  }

  @Test
  void shouldReportDestroyedStreamsAndEvents() {
    long event = cuda.newEvent();
    cuda.destroyEvent(event);
    cuda.destroyStream(other);
    assertThatThrownBy(() -> cuda.record(event, stream)).isInstanceOf(CudaException.class);
    assertThatThrownBy(() -> cuda.awaitStream(other)).isInstanceOf(CudaException.class);
    assertThat(simulator.violations()).contains("a destroyed event").contains("a destroyed stream");
  }

  @Test
  void shouldReportCopiesPastTheEnd() {
    long address = memory();
    Block block = pinned();
    cuda.copyToDevice(address + BYTES - 4, block.address(), 8, stream);
    cuda.awaitStream(stream);
    assertThat(simulator.violations()).contains("past the end");
  }

  @Test
  void shouldReturnAnInjectedErrorFromTheCallThatWasCounted() {
    simulator.inject("cudaMallocFromPoolAsync", 1, OUT_OF_MEMORY, Fault.RETURNED);
    memory();
    assertThatThrownBy(this::memory)
        .isInstanceOfSatisfying(
            CudaException.class,
            e -> {
              assertThat(e.isOutOfMemory()).isTrue();
              assertThat(e.isSticky()).isFalse();
            });
    memory();
  }

  @Test
  void shouldLoseTheDeviceWhenAKernelFails() {
    long a = memory();
    simulator.inject("cudaSimLaunch", 0, LAUNCH_FAILURE, Fault.RUNNING);
    TestKernel.launch(stream, 1, a, 4, a, 4, 1000);
    assertThatThrownBy(() -> cuda.awaitStream(stream))
        .isInstanceOfSatisfying(CudaException.class, e -> assertThat(e.isSticky()).isTrue());
    assertThatThrownBy(this::memory)
        .isInstanceOfSatisfying(
            CudaException.class, e -> assertThat(e.code()).isEqualTo(LAUNCH_FAILURE));
  }

  @Test
  void shouldWaitForeverForWorkThatHangsUntilTheProcessBeginsAnew() throws Exception {
    simulator.inject("cudaEventRecord", 0, 0, Fault.HANGING);
    long event = cuda.newEvent();
    cuda.record(event, stream);
    assertThat(cuda.isComplete(event)).isFalse();
    CompletableFuture<Throwable> failure =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                cuda.awaitEvent(event);
                return new AssertionError("it ended");
              } catch (CudaException e) {
                return e;
              }
            });
    while (simulator.figure(0, Figure.WAITERS) == 0) {
      Thread.onSpinWait();
    }
    assertThat(failure).isNotDone();
    simulator.reset("");
    assertThat(failure.get(1, TimeUnit.MINUTES)).isInstanceOf(CudaException.class);
  }

  @Test
  void shouldRunTheSameWayWithTheSameSeed() {
    assertThat(spanNs(1)).isEqualTo(spanNs(1)).isNotEqualTo(spanNs(2));
  }

  private long spanNs(int seed) {
    begin("jitter_percent=500 latency_ns=5000 copy_ns=1000 seed=" + seed);
    long a = memory();
    Block block = pinned();
    for (int i = 0; i < 10; i++) {
      cuda.copyToDevice(a, block.address(), 4, i % 2 == 0 ? stream : other);
    }
    cuda.awaitStream(stream);
    cuda.awaitStream(other);
    return simulator.figure(0, Figure.SPAN_NS);
  }

  @Test
  void shouldTakeTheTimeThatItCostsInRealTime() {
    begin("real_time=1");
    long a = memory();
    long from = cuda.newEvent();
    long to = cuda.newEvent();
    cuda.record(from, stream);
    TestKernel.launch(stream, 1, a, 4, a, 4, 3_000_000);
    cuda.record(to, stream);
    long beganNs = System.nanoTime();
    cuda.awaitEvent(to);
    assertThat(System.nanoTime() - beganNs).isGreaterThan(1_000_000);
    assertThat(cuda.elapsedNs(from, to)).isGreaterThanOrEqualTo(3_000_000);
  }
}
