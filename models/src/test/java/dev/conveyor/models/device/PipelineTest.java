package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import dev.conveyor.models.device.sim.SimulatedInstance;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import dev.conveyor.models.device.sim.Tally;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PipelineTest {

  private static final long MIB = 1 << 20;
  private static final int INVALID_VALUE = 1;
  private static final int OUT_OF_MEMORY = 2;
  private static final int LAUNCH_FAILURE = 719;

  /** Streams far out of step: what takes 1 may take 6, and begin late. */
  private static final String ADVERSE = "jitter_percent=500 latency_ns=30000 copy_ns=5000 seed=";

  private static final SimulatedModel MODEL = new SimulatedModel(12, 8, 8, 3, 20_000);

  private final SplittableRandom random = new SplittableRandom(1);
  private final Tally tally = new Tally();
  private CudaSimulator simulator;
  private MemoryBudget device;
  private MemoryBudget host;
  private BufferPool pinned;

  @BeforeEach
  void start() {
    begin(ADVERSE + 1);
  }

  private void begin(String settings) {
    simulator = Simulators.start(settings);
    device = new MemoryBudget("gpu-0", 64 * MIB);
    host = new MemoryBudget("host", 64 * MIB);
    pinned = new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
  }

  private SimulatedInstance load(Cuda cuda) {
    return new SimulatedInstance(cuda, 0, MODEL, device, host, pinned, tally);
  }

  private List<SimulatedRequest> batch(int... sizes) {
    List<SimulatedRequest> requests = new ArrayList<>();
    for (int size : sizes) {
      requests.add(SimulatedRequest.leased(MODEL, size, pinned, random));
    }
    return requests;
  }

  private void submit(Pipeline pipeline, List<SimulatedRequest> requests) {
    tally.submitting(requests);
    try {
      pipeline.submit(requests);
    } catch (ExecutionException e) {
      tally.refused(requests, e);
    } catch (OutOfMemoryError e) {
      throw new AssertionError("no batch may end so, which also would end the tests", e);
    }
  }

  /** Keeps every slot full for so many batches of several requests. */
  private void run(Pipeline pipeline, int batches) {
    for (int i = 0; i < batches; i++) {
      if (pipeline.freeSlots() == 0) {
        assertThat(pipeline.await()).isTrue();
      }
      submit(pipeline, batch(1, 3, 2));
    }
    while (pipeline.await()) {
      // Until all have ended.
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
  void shouldAnswerEveryRequestInOrderOnStreamsThatAreOutOfStep(int seed) {
    begin(ADVERSE + seed);
    try (SimulatedInstance instance = load(simulator.cuda())) {
      run(instance.pipeline(), 30);
    }
    assertThat(tally.answered()).isEqualTo(90);
    assertThat(tally.wrong() + tally.unexpected() + tally.outOfOrder() + tally.open()).isZero();
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldWaitTwiceForEventsPerBatch() {
    try (SimulatedInstance instance = load(simulator.cuda())) {
      run(instance.pipeline(), 10);
    }
    assertThat(simulator.figure(0, Figure.WAITS)).isEqualTo(20);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void shouldBeSeenWhenAWaitIsRemoved(int which) {
    for (int seed = 1; seed <= 8; seed++) {
      begin(ADVERSE + seed);
      int wrongBefore = tally.wrong();
      try (SimulatedInstance instance =
          load(DroppedCall.in(simulator.cuda(), "waitFor", 2, which))) {
        run(instance.pipeline(), 30);
      }
      assertThat(tally.wrong()).as("seed %d", seed).isGreaterThan(wrongBefore);
    }
  }

  @Test
  void shouldBeSeenWhenNobodyWaitsForTheSlabs() {
    List<String> violations = new ArrayList<>();
    for (int seed = 1; seed <= 20; seed++) {
      begin("latency_ns=1000000 seed=" + seed);
      // The first wait for a stream is the one after the slabs are allocated.
      Cuda hasty = DroppedCall.in(simulator.cuda(), "awaitStream", Integer.MAX_VALUE, 0);
      try (SimulatedInstance instance = load(hasty)) {
        run(instance.pipeline(), 3);
      }
      violations.add(simulator.violations());
    }
    assertThat(violations).anyMatch(found -> found.contains("before its allocation"));
  }

  @Test
  void shouldBeSeenWhenTheHostDoesNotWaitForTheEnd() {
    try (SimulatedInstance instance = load(DroppedCall.in(simulator.cuda(), "awaitEvent", 1, 0))) {
      run(instance.pipeline(), 5);
    }
    assertThat(tally.answered()).isLessThan(15);
  }

  @Test
  void shouldCopyPinnedInputsFromWhereTheyAre() {
    try (SimulatedInstance instance = load(simulator.cuda())) {
      submit(instance.pipeline(), batch(1, 3, 2));
      assertThat(instance.pipeline().await()).isTrue();
    }
    assertThat(simulator.figure(0, Figure.ASYNC_COPIES)).as("3 in, 1 out").isEqualTo(4);
    assertThat(simulator.figure(0, Figure.PAGEABLE_COPIES)).isZero();
  }

  @Test
  void shouldGatherInputsThatDevicesCannotRead() {
    try (SimulatedInstance instance = load(simulator.cuda());
        BufferPool pageable = new BufferPool(BlockAllocator.host(), MIB)) {
      List<SimulatedRequest> mixed = batch(1);
      mixed.add(SimulatedRequest.onHeap(MODEL, 2, random));
      mixed.add(SimulatedRequest.leased(MODEL, 1, pageable, random));
      mixed.add(SimulatedRequest.leased(MODEL, 1, pinned, random));
      mixed.add(SimulatedRequest.onHeap(MODEL, 3, random));
      submit(instance.pipeline(), mixed);
      assertThat(instance.pipeline().await()).isTrue();
      assertThat(tally.answered()).isEqualTo(5);
      assertThat(simulator.figure(0, Figure.ASYNC_COPIES)).as("4 in, 1 out").isEqualTo(5);
      assertThat(simulator.figure(0, Figure.PAGEABLE_COPIES)).isZero();
    }
  }

  @Test
  void shouldLeaveAsManyBytesAsThereWereBefore() {
    final long freeBefore = simulator.cuda().freeBytes();
    SimulatedInstance instance = load(simulator.cuda());
    assertThat(device.reservedBytes())
        .isEqualTo(simulator.figure(0, Figure.TAKEN_BYTES))
        .isPositive();
    run(instance.pipeline(), 10);
    instance.close();
    pinned.close();

    assertThat(simulator.cuda().freeBytes()).isEqualTo(freeBefore);
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldStayAllocatedNowhereWhenItDoesNotFit() {
    simulator.inject("cudaMallocFromPoolAsync", 2, OUT_OF_MEMORY, Fault.RETURNED);
    assertThatThrownBy(() -> load(simulator.cuda()))
        .isInstanceOfSatisfying(CudaException.class, e -> assertThat(e.isOutOfMemory()).isTrue());
    pinned.close();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"cudaMemcpyAsync", "cudaEventRecord", "cudaStreamWaitEvent", "cudaSimLaunch"})
  void shouldFailOneBatchWhenOneCallIsRefused(String call) {
    try (SimulatedInstance instance = load(simulator.cuda())) {
      simulator.inject(call, 3, INVALID_VALUE, Fault.RETURNED);
      run(instance.pipeline(), 10);
      assertThat(tally.failures()).hasSize(1);
      assertThat(tally.failures().get(0).kind()).isEqualTo(Kind.RUN);
      assertThat(tally.answered()).isEqualTo(27);
      assertThat(tally.wrong() + tally.unexpected() + tally.outOfOrder()).isZero();
    }
    assertThat(simulator.violations()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"copyToDevice", "record", "waitFor", "copyToHost"})
  void shouldGiveTheSlotBackWhenTheHostHasNoMemoryToEnqueueABatch(String call) {
    Error full = new OutOfMemoryError("Java heap space");
    try (SimulatedInstance instance = load(ThrowingCall.in(simulator.cuda(), call, 3, full))) {
      run(instance.pipeline(), 10);
      assertThat(tally.failures()).hasSize(1);
      assertThat(tally.failures().get(0).kind()).isEqualTo(Kind.OUT_OF_MEMORY);
      assertThat(tally.failures().get(0)).hasMessageContaining("Java heap space");
      assertThat(tally.answered()).isEqualTo(27);
      assertThat(instance.pipeline().freeSlots()).isEqualTo(3);
      assertThat(pinned.leasedBytes()).isZero();
    }
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldFailOneBatchWhenTheHostFailsInAnotherWay() {
    Error broken = new NoClassDefFoundError("dev/conveyor/Missing");
    try (SimulatedInstance instance =
        load(ThrowingCall.in(simulator.cuda(), "copyToDevice", 3, broken))) {
      run(instance.pipeline(), 10);
      assertThat(tally.failures()).hasSize(1);
      assertThat(tally.failures().get(0).kind()).isEqualTo(Kind.RUN);
      assertThat(tally.failures().get(0))
          .hasMessageContaining("NoClassDefFoundError: dev/conveyor/Missing");
      assertThat(tally.answered()).isEqualTo(27);
    }
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldRefuseABatchForWhichThereIsNoPinnedMemory() {
    try (SimulatedInstance instance = load(simulator.cuda())) {
      List<SimulatedRequest> requests = batch(1);
      pinned.trim();
      simulator.inject("cudaHostAlloc", 0, OUT_OF_MEMORY, Fault.RETURNED);
      submit(instance.pipeline(), requests);
      assertThat(tally.failures().get(0).kind()).isEqualTo(Kind.OUT_OF_MEMORY);
      run(instance.pipeline(), 5);
      assertThat(tally.answered()).isEqualTo(15);
    }
  }

  @Test
  void shouldFailEveryBatchInFlightOnceWhenTheDeviceIsLost() {
    SimulatedInstance instance = load(simulator.cuda());
    simulator.inject("cudaSimLaunch", 4, LAUNCH_FAILURE, Fault.RUNNING);
    run(instance.pipeline(), 10);

    assertThat(instance.pipeline().lost()).contains("719");
    assertThat(tally.answered()).as("the batches before").isEqualTo(12);
    assertThat(tally.failures()).hasSize(6).allMatch(e -> e.kind() == Kind.INSTANCE_LOST);
    assertThat(tally.open() + tally.unexpected()).isZero();
    instance.close();
    pinned.close();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldNotUseMemoryAgainThatAHungDeviceMayStillWriteTo() {
    SimulatedInstance instance = load(simulator.cuda());
    simulator.inject("cudaSimLaunch", 1, 0, Fault.HANGING);
    submit(instance.pipeline(), batch(1));
    submit(instance.pipeline(), batch(2));
    submit(instance.pipeline(), batch(3));
    assertThat(instance.pipeline().await()).isTrue();
    for (int i = 0; i < 100; i++) {
      assertThat(instance.pipeline().poll()).isFalse();
    }
    long lent = pinned.leasedBytes();
    instance.pipeline().abandon("no end in sight");

    assertThat(tally.answered()).isEqualTo(1);
    assertThat(tally.failures()).hasSize(2).allMatch(e -> e.kind() == Kind.INSTANCE_LOST);
    instance.close();
    assertThat(tally.open() + tally.unexpected()).isZero();
    assertThat(device.reservedBytes())
        .as("in the ledger, since it is in use")
        .isEqualTo(simulator.figure(0, Figure.TAKEN_BYTES))
        .isPositive();
    assertThat(pinned.leasedBytes())
        .as("the inputs came back, the outputs did not")
        .isLessThan(lent);
    assertThat(pinned.leasedBytes()).isEqualTo(2 * 4096L);
  }

  @Test
  void shouldRefuseABatchThatDoesNotFit() {
    try (SimulatedInstance instance = load(simulator.cuda())) {
      List<SimulatedRequest> requests = batch(5, 4);
      assertThatThrownBy(() -> instance.pipeline().submit(requests))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("a batch of 9 on an instance made for 8");
      requests.forEach(SimulatedRequest::close);
      run(instance.pipeline(), 3);
      assertThat(tally.answered()).isEqualTo(9);
    }
  }

  @Test
  void shouldTellWhenBatchesDidWhat() {
    begin("copy_ns=5000");
    PipelineTrace trace = new PipelineTrace();
    try (SimulatedInstance instance = load(simulator.cuda())) {
      instance.pipeline().traceTo(trace);
      run(instance.pipeline(), 30);
    }
    List<PipelineTrace.Batch> batches = trace.batches();
    assertThat(batches).hasSize(30).allMatch(b -> b.items() == 6);
    assertThat(batches.subList(0, 6).stream().map(PipelineTrace.Batch::slot))
        .containsExactly(0, 1, 2, 0, 1, 2);
    for (int i = 0; i < 30; i++) {
      PipelineTrace.Batch b = batches.get(i);
      assertThat(b.copyInEndNs() - b.copyInBeginNs()).as("3 requests").isEqualTo(15_000);
      assertThat(b.computeEndNs() - b.computeBeginNs()).isEqualTo(20_000);
      assertThat(b.computeBeginNs()).isGreaterThanOrEqualTo(b.copyInEndNs());
      if (i > 0) {
        assertThat(b.copyInBeginNs())
            .as("copied in while the one before computes")
            .isLessThan(batches.get(i - 1).computeEndNs());
      }
    }
    assertThat(trace.computeShare()).isGreaterThan(0.97);
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldTimeTheStagesByTheClockOfTheDevice() {
    begin("copy_ns=5000");
    try (SimulatedInstance instance =
        new SimulatedInstance(
            simulator.cuda(),
            0,
            MODEL,
            device,
            host,
            pinned,
            new StageTimes(15_000, 20_000, 5_000))) {
      instance.pipeline().submit(batch(1, 3, 2));
      assertThat(instance.pipeline().await()).isTrue();
    }
  }
}
