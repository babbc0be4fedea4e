package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Rows;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.device.sim.SimulatedChain;
import dev.conveyor.models.device.sim.SimulatedInstance;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import dev.conveyor.models.device.sim.Tally;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Outputs that stay on the device until the next model has read them. */
class ResidentTensorsTest {

  private static final long MIB = 1 << 20;
  private static final int BATCHES = 30;

  /** Streams far out of step: what takes 1 may take 6, and begin late. */
  private static final String ADVERSE =
      "devices=2 jitter_percent=500 latency_ns=30000 copy_ns=5000 seed=";

  private static final SimulatedModel FIRST = new SimulatedModel(12, 8, 8, 3, 20_000);

  /** One batch at a time: the host hears of each at once. */
  private static final SimulatedModel ALONE = new SimulatedModel(12, 8, 8, 1, 20_000);

  private static final SimulatedModel SECOND = new SimulatedModel(8, 4, 8, 3, 20_000);

  private final SplittableRandom random = new SplittableRandom(1);
  private CudaSimulator simulator;
  private MemoryBudget device;
  private MemoryBudget otherDevice;
  private MemoryBudget host;
  private BufferPool pinned;
  private ResidentPool residents;
  private Tally tally;
  private Given given;

  /** What the first model has given. */
  private static final class Given implements PipelineListener {
    final List<Tensor> tensors = new ArrayList<>();
    final List<ExecutionException> failures = new ArrayList<>();

    @Override
    public void onResult(List<? extends BatchRequest> requests, BatchResult result) {
      result.outputs().forEach(tensors::addAll);
    }

    @Override
    public void onFailure(List<? extends BatchRequest> requests, ExecutionException failure) {
      failures.add(failure);
    }
  }

  @BeforeEach
  void start() {
    begin(ADVERSE + 1);
  }

  private void begin(String settings) {
    begin(settings, 64 * MIB);
  }

  private void begin(String settings, long ledgerBytes) {
    simulator = Simulators.start(settings);
    device = new MemoryBudget("gpu-0", ledgerBytes);
    otherDevice = new MemoryBudget("gpu-1", 64 * MIB);
    host = new MemoryBudget("host", 64 * MIB);
    pinned = new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    residents = new ResidentPool(simulator.cuda(), 0, device, pinned);
    tally = new Tally();
    given = new Given();
  }

  private SimulatedInstance load(Cuda cuda, SimulatedModel model, PipelineListener listener) {
    return new SimulatedInstance(cuda, 0, model, device, host, pinned, listener, residents);
  }

  private SimulatedRequest request(int size) {
    return SimulatedRequest.leased(FIRST, size, pinned, random);
  }

  private List<SimulatedRequest> staying(int... sizes) {
    List<SimulatedRequest> requests = new ArrayList<>();
    for (int size : sizes) {
      requests.add(request(size).staying());
    }
    return requests;
  }

  private void chain(Cuda first, Cuda second, int batches) {
    chain(first, FIRST, second, batches, 1, 3, 2);
  }

  private void chain(Cuda first, SimulatedModel model, Cuda second, int batches, int... sizes) {
    SimulatedChain chain = new SimulatedChain(SECOND, tally);
    try (SimulatedInstance one = load(first, model, chain);
        SimulatedInstance two = load(second, SECOND, tally)) {
      chain.run(one.pipeline(), two.pipeline(), batches, () -> staying(sizes));
    }
  }

  /** Everything is closed: nothing may be left anywhere. */
  private void assertNothingLeft() {
    residents.close();
    pinned.close();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }

  private static int[] words(Tensor tensor) {
    int[] words = new int[tensor.sizeBytes() / Integer.BYTES];
    for (int i = 0; i < words.length; i++) {
      words[i] = tensor.data().getInt(i * Integer.BYTES);
    }
    return words;
  }

  /** Runs requests through the second model, in one batch, and demands the right answers. */
  private void readBySecond(SimulatedInstance second, List<SimulatedRequest> requests) {
    tally.submitting(requests);
    second.pipeline().submit(requests);
    int before = tally.answered();
    assertThat(second.pipeline().await()).isTrue();
    assertThat(tally.answered() - before).isEqualTo(requests.size());
    assertThat(tally.wrong()).isZero();
  }

  private void runFirst(SimulatedInstance first, List<SimulatedRequest> requests) {
    first.pipeline().submit(requests);
    assertThat(first.pipeline().await()).isTrue();
    requests.forEach(SimulatedRequest::close);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
  void shouldAnswerRightOnStreamsThatAreOutOfStep(int seed) {
    begin(ADVERSE + seed);
    chain(simulator.cuda(), simulator.cuda(), BATCHES);
    assertThat(tally.answered()).isEqualTo(3 * BATCHES);
    assertThat(tally.wrong() + tally.unexpected() + tally.open()).isZero();
    assertNothingLeft();
  }

  @Test
  void shouldCopyNothingBetweenTheHostAndTheDeviceBetweenTwoModels() {
    chain(simulator.cuda(), simulator.cuda(), BATCHES);
    long items = 6L * BATCHES;
    assertThat(simulator.figure(0, Figure.TO_DEVICE_BYTES))
        .as("what the first model takes")
        .isEqualTo(items * FIRST.inWords() * Integer.BYTES);
    assertThat(simulator.figure(0, Figure.TO_HOST_BYTES))
        .as("what the second model gives")
        .isEqualTo(items * SECOND.outWords() * Integer.BYTES);
    assertThat(simulator.figure(0, Figure.ON_DEVICE_BYTES))
        .as("out of one batch and into the next")
        .isEqualTo(2 * items * SECOND.inWords() * Integer.BYTES);
    assertThat(simulator.figure(0, Figure.ASYNC_COPIES))
        .as("per batch: 3 requests in, 1 aside, 3 into the next batch, 1 out")
        .isEqualTo(8L * BATCHES);
    assertThat(simulator.figure(0, Figure.PAGEABLE_COPIES)).isZero();
  }

  @Test
  void shouldBeSeenWhenTheReaderDoesNotWaitForWhatWasWritten() {
    for (int seed = 1; seed <= 8; seed++) {
      begin(ADVERSE + seed);
      // Each batch of the second model waits for its inputs, its copies and its computing.
      Cuda hasty = DroppedCall.in(simulator.cuda(), "waitFor", 3, 0);
      chain(simulator.cuda(), ALONE, hasty, 4 * BATCHES, 1, 3, 2);
      assertThat(tally.wrong()).as("seed %d", seed).isPositive();
    }
  }

  @Test
  void shouldBeSeenWhenTheNextBatchOverwritesWhatIsNotCopiedAside() {
    for (int seed = 1; seed <= 8; seed++) {
      // A copy aside may take longer than copying the next batch in and computing it.
      begin("jitter_percent=500 copy_ns=200000 seed=" + seed);
      // The first batch of a slot waits twice, the later ones three times.
      Cuda hasty = DroppedCall.in(simulator.cuda(), "waitFor", 3, 1, 2);
      chain(hasty, ALONE, simulator.cuda(), BATCHES, 1);
      assertThat(tally.wrong()).as("seed %d", seed).isPositive();
    }
  }

  @Test
  void shouldBeSeenWhenMemoryIsFreedThatIsStillWrittenTo() {
    List<String> violations = new ArrayList<>();
    for (int seed = 1; seed <= 8; seed++) {
      begin("latency_ns=1000000 seed=" + seed);
      residents =
          new ResidentPool(DroppedCall.in(simulator.cuda(), "isComplete", 1, 0), 0, device, pinned);
      giveUpAtOnce();
      violations.add(simulator.violations());
    }
    assertThat(violations).anyMatch(found -> found.contains("after free"));
  }

  @Test
  void shouldFreeWhatWasGivenUpOnlyWhenItIsWritten() {
    for (int seed = 1; seed <= 8; seed++) {
      begin("latency_ns=1000000 seed=" + seed);
      giveUpAtOnce();
      assertNothingLeft();
    }
  }

  /** As if every request were cancelled right after its first step. */
  private void giveUpAtOnce() {
    try (SimulatedInstance first = load(simulator.cuda(), FIRST, given)) {
      for (int i = 0; i < BATCHES; i++) {
        runFirst(first, staying(2, 1));
        given.tensors.forEach(Tensor::close);
        given.tensors.clear();
      }
    }
  }

  @Test
  void shouldTakeOnlyThoseThatMayStay() {
    try (SimulatedInstance first = load(simulator.cuda(), FIRST, given);
        SimulatedInstance second = load(simulator.cuda(), SECOND, tally)) {
      List<SimulatedRequest> mixed =
          List.of(
              request(1),
              request(2).staying(),
              request(1).staying(),
              request(2),
              request(1),
              request(1).staying());
      runFirst(first, mixed);
      assertThat(given.tensors.stream().map(Tensor::isOnDevice))
          .containsExactly(false, true, true, false, false, true);
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES))
          .isEqualTo(4L * FIRST.outWords() * Integer.BYTES);
      List<SimulatedRequest> next = new ArrayList<>();
      for (int i = 0; i < mixed.size(); i++) {
        next.add(
            SimulatedRequest.of(
                SECOND, mixed.get(i).batchSize(), mixed.get(i).expected(), given.tensors.get(i)));
      }
      readBySecond(second, next);
    }
    assertNothingLeft();
  }

  @Test
  void shouldLetSeveralReadOneTensorAndItsRows() {
    try (SimulatedInstance first = load(simulator.cuda(), FIRST, given);
        SimulatedInstance second = load(simulator.cuda(), SECOND, tally);
        SimulatedInstance third = load(simulator.cuda(), SECOND, tally)) {
      List<SimulatedRequest> one = staying(4);
      runFirst(first, one);
      int[] expected = one.get(0).expected();
      Tensor whole = given.tensors.get(0);
      List<SimulatedRequest> items = new ArrayList<>();
      Rows rows = Rows.of(whole);
      for (int row = 0; row < rows.count(); row++) {
        int[] words = Arrays.copyOfRange(expected, row * 8, (row + 1) * 8);
        items.add(SimulatedRequest.of(SECOND, 1, words, rows.tryShare(row)));
      }
      readBySecond(third, List.of(SimulatedRequest.of(SECOND, 4, expected, whole.tryShare())));
      whole.close();
      assertThat(whole.tryShare()).isNull();
      assertThat(residents.lent()).as("its rows").isEqualTo(1);
      readBySecond(second, items);
      assertThat(residents.lent()).isZero();
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES))
          .isEqualTo(8L * SECOND.outWords() * Integer.BYTES);
    }
    assertNothingLeft();
  }

  @Test
  void shouldCopyToTheHostOnceForWhoeverReadsItThere() {
    try (SimulatedInstance first = load(simulator.cuda(), FIRST, given)) {
      List<SimulatedRequest> requests = staying(2, 1);
      runFirst(first, requests);
      long bytes = 2L * FIRST.outWords() * Integer.BYTES;
      Tensor tensor = given.tensors.get(0);
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES)).isZero();
      Tensor share = tensor.tryShare();
      assertThat(words(tensor)).isEqualTo(requests.get(0).expected());
      assertThat(words(share)).isEqualTo(requests.get(0).expected());
      assertThat(tensor.isInPlaceOf(share)).isTrue();
      assertThat(tensor.isInPlaceOf(given.tensors.get(1))).isFalse();
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES)).isEqualTo(bytes);
      share.close();
      given.tensors.forEach(Tensor::close);
    }
    assertNothingLeft();
  }

  @Test
  void shouldCloseWhileSomebodyWaitsForTheDevice() {
    List<Tensor> shares = new ArrayList<>();
    Cuda cuda = simulator.cuda();
    Cuda slow =
        (Cuda)
            Proxy.newProxyInstance(
                Cuda.class.getClassLoader(),
                new Class<?>[] {Cuda.class},
                (proxy, called, args) -> {
                  if (called.getName().equals("awaitEvent")) {
                    CompletableFuture.runAsync(shares.get(0)::close).get(20, TimeUnit.SECONDS);
                  }
                  return called.invoke(cuda, args);
                });
    residents = new ResidentPool(slow, 0, device, pinned);
    try (SimulatedInstance first = load(cuda, FIRST, given)) {
      List<SimulatedRequest> requests = staying(2);
      runFirst(first, requests);
      Tensor tensor = given.tensors.get(0);
      shares.add(tensor.tryShare());
      assertThat(words(tensor)).isEqualTo(requests.get(0).expected());
      tensor.close();
    }
    assertNothingLeft();
  }

  @Test
  void shouldTakeTheWayOverTheHostToAnotherDevice() {
    try (SimulatedInstance first = load(simulator.cuda(), FIRST, given)) {
      List<SimulatedRequest> requests = staying(2);
      runFirst(first, requests);
      ResidentPool others = new ResidentPool(simulator.cuda(), 1, otherDevice, pinned);
      try (SimulatedInstance second =
          new SimulatedInstance(
              simulator.cuda(), 1, SECOND, otherDevice, host, pinned, tally, others)) {
        readBySecond(
            second,
            List.of(
                SimulatedRequest.of(SECOND, 2, requests.get(0).expected(), given.tensors.get(0))));
      }
      others.close();
      simulator.cuda().useDevice(0);
    }
    assertNothingLeft();
  }

  @Test
  void shouldTakeTheHostWhereTheDeviceHasNoRoom() {
    // An eighth of it, which is what there is for tensors between steps, is less than a pool takes.
    begin(ADVERSE + 1, 8 * MIB);
    try (MemoryBudget.Reservation unused = device.reserve("others", 4 * MIB)) {
      chain(simulator.cuda(), simulator.cuda(), BATCHES);
      assertThat(tally.answered()).isEqualTo(3 * BATCHES);
      assertThat(tally.wrong()).isZero();
      assertThat(simulator.figure(0, Figure.ON_DEVICE_BYTES)).isZero();
    }
    assertNothingLeft();
  }

  @Test
  void shouldTakeTheHostWhenTheDeviceRefusesMemory() {
    SimulatedChain chain = new SimulatedChain(SECOND, tally);
    try (SimulatedInstance one = load(simulator.cuda(), FIRST, chain);
        SimulatedInstance two = load(simulator.cuda(), SECOND, tally)) {
      simulator.inject("cudaMallocFromPoolAsync", 3, 2, Fault.RETURNED);
      chain.run(one.pipeline(), two.pipeline(), BATCHES, () -> staying(1, 3, 2));
    }
    assertThat(tally.answered()).isEqualTo(3 * BATCHES);
    assertThat(tally.wrong()).isZero();
    assertThat(simulator.figure(0, Figure.TO_HOST_BYTES))
        .as("the second model's, and one batch of the first's")
        .isEqualTo(6L * Integer.BYTES * (BATCHES * SECOND.outWords() + FIRST.outWords()));
    assertNothingLeft();
  }

  @Test
  void shouldOutliveTheModelThatHasComputedIt() {
    List<SimulatedRequest> requests = staying(3);
    SimulatedInstance first = load(simulator.cuda(), FIRST, given);
    first.pipeline().submit(requests);
    assertThat(first.pipeline().await()).isTrue();
    first.close();
    try (SimulatedInstance second = load(simulator.cuda(), SECOND, tally)) {
      readBySecond(
          second,
          List.of(
              SimulatedRequest.of(SECOND, 3, requests.get(0).expected(), given.tensors.get(0))));
    }
    requests.forEach(SimulatedRequest::close);
    assertNothingLeft();
  }

  @Test
  void shouldNotFreeWhatAHungReaderMayStillRead() {
    SimulatedInstance first = load(simulator.cuda(), FIRST, given);
    SimulatedInstance second = load(simulator.cuda(), SECOND, tally);
    List<SimulatedRequest> requests = staying(2);
    runFirst(first, requests);
    simulator.inject("cudaMemcpyAsync", 0, 0, Fault.HANGING);
    List<SimulatedRequest> next =
        List.of(SimulatedRequest.of(SECOND, 2, requests.get(0).expected(), given.tensors.get(0)));
    tally.submitting(next);
    second.pipeline().submit(next);
    for (int i = 0; i < 100; i++) {
      assertThat(second.pipeline().poll()).isFalse();
    }
    second.pipeline().abandon("no end in sight");
    assertThat(tally.failures()).hasSize(1);
    second.close();
    assertThat(residents.lent()).isEqualTo(1);
    first.close();
    residents.close();
    assertThat(device.holders()).containsKey("gpu-0/between steps");
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldGiveUpWhatIsCopiedAsideForEver() {
    SimulatedInstance first = load(simulator.cuda(), FIRST, given);
    // One copy in, which is all right, and one aside.
    simulator.inject("cudaMemcpyAsync", 1, 0, Fault.HANGING);
    runFirst(first, staying(2));
    given.tensors.get(0).close();
    first.close();
    assertThat(first.pipeline().isAbandoned()).isTrue();
    residents.close();
    assertThat(device.holders()).containsKeys("gpu-0/between steps", "simulated/slabs");
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldFailWhoeverReadsOnTheHostWhatWasOnALostDevice() {
    SimulatedInstance first = load(simulator.cuda(), FIRST, given);
    runFirst(first, staying(2));
    simulator.inject("cudaEventSynchronize", 0, 719, Fault.STICKY);
    Tensor tensor = given.tensors.get(0);
    assertThatThrownBy(tensor::data)
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("719");
    assertThat(tensor.identity().remaining()).isZero();
    tensor.close();
    first.close();
    residents.close();
    pinned.close();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
    assertThat(simulator.violations()).isEmpty();
  }
}
