package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Lanes on threads of their own, and a device that runs in real time. */
class LaneGroupTest extends GpuCase {

  private static final int LANES = 3;
  private static final int RUNS = 500;
  private static final SimulatedModel MODEL = new SimulatedModel(16, 16, 4, LANES, 1_000);

  private LaneGroup group(GpuPlace on, String owner) {
    return new LaneGroup(
        on, on.budget(), new TestModel(MODEL), MODEL.layout(), LANES, 0, owner, false, () -> {});
  }

  private List<SimulatedRequest> batch() {
    return List.of(SimulatedRequest.onHeap(MODEL, 2, random));
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void shouldAnswerEachLaneThoughAllRunTheSameList(boolean spins) throws Exception {
    begin("real_time=1 copy_ns=1000 jitter_percent=200");
    place = place(simulator.cuda(), spins);
    LaneGroup group = group(place, "lanes");
    List<SimulatedRequest> batch = batch();
    ExecutorService threads = Executors.newFixedThreadPool(LANES);
    try {
      List<Future<Integer>> answered = new ArrayList<>();
      for (int i = 0; i < LANES; i++) {
        ModelExecutor lane = group.newLane(MODEL.maxBatchSize());
        answered.add(threads.submit(() -> run(place, lane, batch)));
      }
      for (Future<Integer> lane : answered) {
        assertThat(lane.get()).isEqualTo(RUNS);
      }
    } finally {
      threads.shutdownNow();
    }
    assertNothingLeft();
  }

  @Test
  void shouldNotTakeABatchForRunningThatWasNeverSubmitted() {
    begin("real_time=1 copy_ns=1000");
    LaneGroup group = group(place, "lanes");
    List<SimulatedRequest> batch = batch();
    List<SimulatedRequest> tooMuch =
        new AbstractList<>() {
          @Override
          public SimulatedRequest get(int index) {
            return batch.get(index);
          }

          @Override
          public int size() {
            throw new OutOfMemoryError("Java heap space");
          }
        };
    try (ModelExecutor lane = group.newLane(MODEL.maxBatchSize())) {
      assertThatThrownBy(() -> lane.execute(tooMuch)).isInstanceOf(OutOfMemoryError.class);
      lane.cancel();
      List<Tensor> outputs = lane.execute(batch).outputs().get(0);
      assertThat(batch.get(0).isAnsweredBy(outputs)).isTrue();
      outputs.forEach(Tensor::close);
    }
    assertNothingLeft();
  }

  /** The thread that waits for batches is the first to hear of it. */
  @Test
  void shouldSayThatTheDeviceIsLostWhenTheThreadThatWaitsCannotUseIt() {
    begin("copy_ns=1000");
    AtomicBoolean taken = new AtomicBoolean();
    GpuPlace lost = place(refusingWaiter(simulator.cuda(), taken, 719), false);
    LaneGroup group = group(lost, "lost");
    ModelExecutor lane = group.newLane(MODEL.maxBatchSize());
    taken.set(true);
    awaitWaiting("device-lost");

    assertThatThrownBy(() -> lane.execute(batch())).hasMessageContaining("cannot be used");

    assertThat(lost.lost()).contains("cudaSetDevice");
    assertThat(lost.residents().isLost()).as("who reads there is told at once").isTrue();
    lane.close();
    assertNothingLeft();
  }

  @Test
  void shouldGiveEverythingBackThoughTheThreadThatWaitsCouldNotUseTheDevice() throws Exception {
    begin("copy_ns=1000");
    AtomicBoolean taken = new AtomicBoolean();
    GpuPlace well = place(refusingWaiter(simulator.cuda(), taken, 2), false);
    CountDownLatch returned = new CountDownLatch(1);
    GivenUp givenUp =
        new GivenUp() {
          @Override
          public void begins() {}

          @Override
          public void ends() {
            returned.countDown();
          }
        };
    LaneGroup group =
        new LaneGroup(
            well,
            well.budget(),
            new TestModel(MODEL),
            MODEL.layout(),
            LANES,
            0,
            "lost",
            false,
            givenUp);
    ModelExecutor lane = group.newLane(MODEL.maxBatchSize());
    taken.set(true);
    awaitWaiting("device-lost");

    assertThatThrownBy(() -> lane.execute(batch())).hasMessageContaining("cannot be used");

    assertThat(well.lost()).isNull();
    lane.close();
    returned.await();
    assertNothingLeft();
  }

  /** Returns a runtime that refuses the device, once, to the thread which waits, when it may. */
  private static Cuda refusingWaiter(Cuda cuda, AtomicBoolean may, int code) {
    AtomicBoolean refused = new AtomicBoolean();
    return (Cuda)
        Proxy.newProxyInstance(
            Cuda.class.getClassLoader(),
            new Class<?>[] {Cuda.class},
            (proxy, called, args) -> {
              if (called.getName().equals("useDevice")
                  && Thread.currentThread().getName().equals("device-lost")
                  && refused.compareAndSet(false, true)) {
                while (!may.get()) {
                  Thread.onSpinWait();
                }
                throw new CudaException("cudaSetDevice", code, "refused");
              }
              return called.invoke(cuda, args);
            });
  }

  /** Until a thread has nothing to do, or is gone. */
  private static void awaitWaiting(String name) {
    while (Thread.getAllStackTraces().keySet().stream()
        .anyMatch(t -> t.getName().equals(name) && t.getState() != Thread.State.WAITING)) {
      Thread.onSpinWait();
    }
  }

  @Test
  void shouldGiveBackWhatIsOnlyKeptBeforeAModelIsLoaded() {
    begin("copy_ns=1000");
    List<Long> keptBytes = new ArrayList<>();
    GpuBackend backend =
        new TestModel(MODEL) {
          @Override
          public DeviceModel load(Path file, GpuLoadOptions options) {
            keptBytes.add(place.residents().takenBytes());
            return this;
          }
        };
    keep(place);
    long keptBefore = place.residents().takenBytes();

    GpuModel model = load(backend);
    keep(place);
    try (ModelExecutor unused = model.newExecutor(4)) {
      keptBytes.add(place.residents().takenBytes());
    }
    model.close();

    assertThat(keptBefore).isPositive();
    assertThat(keptBytes).containsExactly(0L, 0L);
    assertNothingLeft();
  }

  /** Whoever closes it waits two seconds for that copy, and then no longer. */
  @Test
  void shouldGiveSlabsAndWeightsBackWhenACopyThatWasTooLongForTheCloseEndsAfterAll()
      throws Exception {
    begin("real_time=1 copy_ns=1000");
    CountDownLatch freed = new CountDownLatch(1);
    GpuModel model =
        load(
            new TestModel(MODEL) {
              @Override
              public void close() {
                freed.countDown();
              }
            });
    // One copy in, and one aside, where the output stays.
    simulator.inject("cudaMemcpyAsync", 1, 0, Fault.HANGING);
    try (ModelExecutor lane = model.newExecutor(MODEL.maxBatchSize())) {
      SimulatedRequest request = SimulatedRequest.onHeap(MODEL, 2, random).staying();
      lane.execute(List.of(request)).discard();
    }
    model.close();
    assertThat(freed.getCount()).as("the device may be at it").isEqualTo(1);
    assertThat(device.holders()).containsKey("m/slabs");

    simulator.resume();

    freed.await();
    assertNothingLeft();
  }

  /** As after a batch whose outputs the next model has read. */
  private static void keep(GpuPlace place) {
    long stream = place.cuda().newStream(0);
    place.residents().tryAllocate(MIB, stream).leave();
    place.cuda().awaitStream(stream);
    place.cuda().destroyStream(stream);
  }

  private static int run(GpuPlace place, ModelExecutor lane, List<SimulatedRequest> batch) {
    place.use();
    int right = 0;
    try (lane) {
      for (int i = 0; i < RUNS; i++) {
        List<Tensor> outputs = lane.execute(batch).outputs().get(0);
        right += batch.get(0).isAnsweredBy(outputs) ? 1 : 0;
        outputs.forEach(Tensor::close);
      }
    }
    return right;
  }
}
