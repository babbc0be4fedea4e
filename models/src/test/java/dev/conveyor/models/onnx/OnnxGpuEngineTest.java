package dev.conveyor.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceLayout;
import dev.conveyor.models.device.DroppedCall;
import dev.conveyor.models.device.EngineSite;
import dev.conveyor.models.device.Pipeline;
import dev.conveyor.models.device.Simulators;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import dev.conveyor.models.device.sim.Tally;
import java.util.List;
import java.util.SplittableRandom;
import org.bytedeco.onnxruntime.RunOptions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A pipeline whose engine enqueues on the stream of a session, as ONNX Runtime does with the stream
 * it was given; the session is one that computes the simulated device's kernel there.
 */
class OnnxGpuEngineTest {

  private static final long MIB = 1 << 20;
  private static final int WORDS = 12;
  private static final int SLOTS = 3;
  private static final long COST_NS = 20_000;
  private static final SimulatedModel MODEL = new SimulatedModel(WORDS, WORDS, 8, SLOTS, COST_NS);

  /** Of these the first and the last are the pipeline's, the two between the engine's. */
  private static final int WAITS_PER_BATCH = 4;

  private final SplittableRandom random = new SplittableRandom(1);
  private final Tally tally = new Tally();
  private CudaSimulator simulator;

  private void run(Cuda cuda, boolean varies) {
    MemoryBudget device = new MemoryBudget("gpu-0", 64 * MIB);
    MemoryBudget host = new MemoryBudget("host", 64 * MIB);
    cuda.useDevice(0);
    BufferPool pinned = new BufferPool(new PinnedAllocator(cuda, host, "pinned"), 4 * MIB);
    DevicePool pool = new DevicePool(cuda, 0, 64 * MIB, device, "slabs");
    long sessionStream = cuda.newStream(0);
    long siteStream = cuda.newStream(0);
    DeviceLayout layout = varies ? varying() : MODEL.layout();
    FakeBinder binder = new FakeBinder(pool, sessionStream);
    Workspace workspace = new Workspace("m/1", device, () -> 0);
    Pipeline pipeline =
        new Pipeline(
            cuda,
            layout,
            SLOTS,
            0,
            pool,
            new PinnedAllocator(cuda, host, "staging"),
            pinned,
            new OnnxGpuEngine(
                new Object(),
                binder,
                sessionStream,
                new EngineSite(cuda, 0, layout, pool, siteStream),
                workspace),
            tally);
    for (int i = 0; i < 30; i++) {
      if (pipeline.freeSlots() == 0) {
        assertThat(pipeline.await()).isTrue();
      }
      List<SimulatedRequest> batch = List.of(request(1), request(1 + i % 4));
      tally.submitting(batch);
      pipeline.submit(batch);
    }
    pipeline.close();
    cuda.awaitStream(sessionStream);
    cuda.destroyStream(sessionStream);
    cuda.destroyStream(siteStream);
    pool.close();
    pinned.close();
    assertThat(binder.open).isZero();
  }

  private SimulatedRequest request(int items) {
    return SimulatedRequest.onHeap(MODEL, items, random);
  }

  private static DeviceLayout varying() {
    Shape any = Shape.of(-1, -1);
    return new DeviceLayout(
        List.of(new TensorSpec("in", DataType.INT32, any)),
        List.of(new TensorSpec("out", DataType.INT32, any)),
        MODEL.maxBatchSize());
  }

  private void begin(int seed) {
    simulator = Simulators.start("jitter_percent=500 latency_ns=30000 copy_ns=5000 seed=" + seed);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void shouldAnswerEveryRequestFromTheSessionsStream(boolean varies) {
    for (int seed = 1; seed <= 4; seed++) {
      begin(seed);
      run(simulator.cuda(), varies);
      assertThat(simulator.violationsAndLeaks()).isEmpty();
    }
    assertThat(tally.answered()).isEqualTo(240);
    assertThat(tally.wrong() + tally.unexpected() + tally.outOfOrder() + tally.open()).isZero();
  }

  /**
   * The one by which the session waits for the copies in, and the one by which the copies out do
   * for it.
   */
  @ParameterizedTest
  @CsvSource({"1,false", "2,false", "1,true", "2,true"})
  void shouldBeSeenWhenAWaitIsRemoved(int which, boolean varies) {
    for (int seed = 1; seed <= 4; seed++) {
      begin(seed);
      int wrongBefore = tally.wrong();
      run(DroppedCall.in(simulator.cuda(), "waitFor", WAITS_PER_BATCH, which), varies);
      assertThat(tally.wrong()).as("seed %d", seed).isGreaterThan(wrongBefore);
    }
  }

  /** Counts what is bound, so that nothing stays so. */
  private static final class FakeBinder implements Binder {

    private final DevicePool pool;
    private final long sessionStream;
    private int open;

    FakeBinder(DevicePool pool, long sessionStream) {
      this.pool = pool;
      this.sessionStream = sessionStream;
    }

    @Override
    public BoundRun fixed(int items, DeviceBatch batch) {
      return new Bound(Shape.of(items, WORDS), batch.input(0), batch.output(0), false);
    }

    @Override
    public VaryingBoundRun varying(List<Shape> inputs, DeviceBatch batch) {
      long bytes = inputs.get(0).elements() * Integer.BYTES;
      return new Bound(inputs.get(0), batch.input(0), pool.allocate(bytes, sessionStream), true);
    }

    @Override
    public void close() {}

    private final class Bound implements VaryingBoundRun {

      private final Shape shape;
      private final long input;
      private final long output;
      private final boolean owned;

      Bound(Shape shape, long input, long output, boolean owned) {
        this.shape = shape;
        this.input = input;
        this.output = output;
        this.owned = owned;
        open++;
      }

      @Override
      public void run(RunOptions options) {
        long itemBytes = shape.dim(1) * Integer.BYTES;
        int items = (int) shape.dim(0);
        TestKernel.launch(sessionStream, items, input, itemBytes, output, itemBytes, COST_NS);
      }

      @Override
      public Shape shape(int index) {
        return shape;
      }

      @Override
      public long address(int index) {
        return output;
      }

      @Override
      public void close() {
        open--;
        if (owned) {
          pool.free(output, sessionStream);
        }
      }
    }
  }
}
