package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import dev.conveyor.models.device.sim.Tally;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Batches of which only they tell how long their items are. */
class VaryingPipelineTest extends GpuCase {

  private static final int SLOTS = 3;
  private static final int MORE_OUT = 3;
  private static final List<TensorSpec> INPUTS =
      List.of(new TensorSpec("in", DataType.INT32, Shape.of(-1, -1)));
  private static final List<TensorSpec> OUTPUTS =
      List.of(new TensorSpec("out", DataType.INT32, Shape.of(-1, -1)));

  private final Tally tally = new Tally();
  private DevicePool pool;

  @BeforeEach
  void start() {
    begin(1);
  }

  private void begin(int seed) {
    begin("jitter_percent=500 latency_ns=30000 copy_ns=5000 seed=" + seed, 4 * MIB);
  }

  private Pipeline load(Cuda cuda) {
    cuda.useDevice(0);
    pool = new DevicePool(cuda, 0, 64 * MIB, device, "varying/slabs");
    return new Pipeline(
        cuda,
        new DeviceLayout(INPUTS, OUTPUTS, 8),
        SLOTS,
        0,
        pool,
        new PinnedAllocator(cuda, host, "varying/staging"),
        pinned,
        new Engine(pool),
        tally);
  }

  private void unload(Pipeline pipeline) {
    pipeline.close();
    pool.close();
    pinned.close();
  }

  private static SimulatedModel ofLength(int words) {
    return new SimulatedModel(words, words + MORE_OUT, 8, SLOTS, 20_000);
  }

  private SimulatedRequest request(int words, int items) {
    return random.nextBoolean()
        ? SimulatedRequest.leased(ofLength(words), items, pinned, random)
        : SimulatedRequest.onHeap(ofLength(words), items, random);
  }

  private void submit(Pipeline pipeline, List<SimulatedRequest> requests) {
    tally.submitting(requests);
    try {
      pipeline.submit(requests);
    } catch (ExecutionException e) {
      tally.refused(requests, e);
    }
  }

  /** Lengths go up and down, beyond what slots are first made for, with every slot in flight. */
  private void run(Pipeline pipeline, int batches) {
    for (int i = 0; i < batches; i++) {
      if (pipeline.freeSlots() == 0) {
        assertThat(pipeline.await()).isTrue();
      }
      int words = 1 + random.nextInt(1 << random.nextInt(15));
      submit(pipeline, List.of(request(words, 1), request(words, 3), request(words, 2)));
    }
    while (pipeline.await()) {
      // Until all have ended.
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
  void shouldAnswerBatchesOfEveryLengthAndGiveEverythingBack(int seed) {
    begin(seed);
    Pipeline pipeline = load(simulator.cuda());
    run(pipeline, 30);
    unload(pipeline);

    assertThat(tally.answered()).isEqualTo(90);
    assertThat(tally.wrong() + tally.unexpected() + tally.outOfOrder() + tally.open()).isZero();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }

  @Test
  void shouldGiveBackWhatSlotsHaveGrownByWhenNothingIsInFlightAndGrowAnew() {
    Pipeline pipeline = load(simulator.cuda());
    long loaded = taken();
    run(pipeline, 10);
    submit(pipeline, List.of(request(1, 1)));
    long grown = taken();
    assertThat(grown).isGreaterThan(loaded);

    pipeline.shrink();
    assertThat(taken()).as("a batch is in flight").isEqualTo(grown);
    assertThat(pipeline.await()).isTrue();
    pipeline.shrink();
    assertThat(taken()).isEqualTo(loaded);

    run(pipeline, 10);
    unload(pipeline);
    assertThat(tally.answered()).isEqualTo(61);
    assertThat(tally.wrong() + tally.unexpected() + tally.outOfOrder() + tally.open()).isZero();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  /** Returns the bytes of the device, and of staging memory on the host. */
  private long taken() {
    pool.trim();
    return pool.takenBytes() + host.holders().getOrDefault("varying/staging", 0L);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void shouldBeSeenWhenAWaitIsRemoved(int which) {
    for (int seed = 1; seed <= 4; seed++) {
      begin(seed);
      Pipeline pipeline = load(DroppedCall.in(simulator.cuda(), "waitFor", 2, which));
      int wrongBefore = tally.wrong();
      run(pipeline, 30);
      unload(pipeline);
      assertThat(tally.wrong() > wrongBefore || !simulator.violations().isEmpty())
          .as("seed %d", seed)
          .isTrue();
    }
  }

  @Test
  void shouldRefuseRequestsOfDifferentLengthsInOneBatch() {
    Pipeline pipeline = load(simulator.cuda());
    List<SimulatedRequest> mixed = List.of(request(6, 1), request(5, 1));
    tally.submitting(mixed);

    assertThatThrownBy(() -> pipeline.submit(mixed))
        .isInstanceOf(ExecutionException.class)
        .hasMessageContaining("'in' has shapes [1,6] and [1,5] in one batch");
    tally.refused(mixed, new ExecutionException(Kind.RUN, "mixed"));
    run(pipeline, 3);
    unload(pipeline);
    assertThat(tally.answered()).isEqualTo(9);
  }

  @Test
  void shouldFailOneBatchWhereOutputsFindNoRoomAndGoOn() {
    Pipeline pipeline = load(simulator.cuda());
    // Its input is on the heap; its output is more than all the memory that is pinned for them.
    List<SimulatedRequest> large = List.of(SimulatedRequest.onHeap(ofLength(1_100_000), 1, random));
    submit(pipeline, large);

    assertOneFoundNoMemoryAndOthersRun(pipeline);
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldFailOneBatchThatTheLedgerHasNoRoomFor() {
    Pipeline pipeline = load(simulator.cuda());
    try (MemoryBudget.Reservation others = device.reserve("others", 60 * MIB)) {
      submit(pipeline, List.of(SimulatedRequest.onHeap(ofLength(3_000_000), 1, random)));
      assertThat(others.bytes()).isEqualTo(60 * MIB);
    }
    assertOneFoundNoMemoryAndOthersRun(pipeline);
    assertThat(device.reservedBytes()).isZero();
  }

  private void assertOneFoundNoMemoryAndOthersRun(Pipeline pipeline) {
    assertThat(tally.failures())
        .singleElement()
        .extracting(ExecutionException::kind)
        .isEqualTo(Kind.OUT_OF_MEMORY);
    run(pipeline, 3);
    unload(pipeline);
    assertThat(tally.answered()).isEqualTo(9);
  }

  @Test
  void shouldRunOnLanesOfAModelAndRefuseAnEngineThatTakesFixedShapesOnly() {
    assertThatThrownBy(() -> load(model(false)))
        .isInstanceOf(ModelLoadException.class)
        .hasMessageContaining("takes only shapes whose dimensions but the batch are fixed");

    GpuModel model = load(model(true));
    try (ModelExecutor lane = model.newExecutor(8)) {
      for (int words : new int[] {5, 40_000, 1}) {
        List<SimulatedRequest> batch = List.of(request(words, 2), request(words, 1));
        List<List<Tensor>> answers = lane.execute(batch).outputs();
        for (int r = 0; r < batch.size(); r++) {
          assertThat(batch.get(r).isAnsweredBy(answers.get(r))).isTrue();
          answers.get(r).forEach(Tensor::close);
          batch.get(r).close();
        }
      }
    }
    model.close();
    assertNothingLeft();
  }

  private static TestModel model(boolean varies) {
    return new TestModel(INPUTS, OUTPUTS, site -> new Engine(site.pool())) {
      @Override
      public boolean takesVaryingShapes() {
        return varies;
      }
    };
  }

  /** Takes memory for its outputs as it is told how long they are. */
  private record Engine(DevicePool pool) implements DeviceEngine {

    @Override
    public void enqueue(int items, DeviceBatch batch, long stream) {
      throw new AssertionError("its dimensions vary");
    }

    @Override
    public DeviceOutputs enqueue(List<Shape> inputs, DeviceBatch batch, long stream) {
      Shape in = inputs.get(0);
      Shape out = Shape.of(in.dim(0), in.dim(1) + MORE_OUT);
      PoolOutputs outputs = new PoolOutputs(pool, OUTPUTS, List.of(out), stream);
      TestKernel.launch(
          stream,
          (int) in.dim(0),
          batch.input(0),
          in.dim(1) * Integer.BYTES,
          outputs.address(0),
          out.dim(1) * Integer.BYTES,
          20_000);
      return outputs;
    }

    @Override
    public void close() {}
  }
}
