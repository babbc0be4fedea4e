package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Lanes on threads of their own, and a device that runs in real time. */
class LaneGroupTest {

  private static final long MIB = 1 << 20;
  private static final int LANES = 3;
  private static final int RUNS = 500;
  private static final SimulatedModel MODEL = new SimulatedModel(16, 16, 4, LANES, 1_000);

  private final MemoryBudget device = new MemoryBudget("gpu-0", 64 * MIB);
  private final MemoryBudget host = new MemoryBudget("host", 64 * MIB);

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void shouldAnswerEachLaneThoughAllRunTheSameList(boolean spins) throws Exception {
    CudaSimulator simulator = Simulators.start("real_time=1 copy_ns=1000 jitter_percent=200");
    BufferPool pinned =
        new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    GpuPlace place = place(simulator, pinned, spins);
    LaneGroup group =
        new LaneGroup(place, new Weights(), MODEL.layout(), LANES, 0, "lanes", false, () -> {});
    List<SimulatedRequest> batch =
        List.of(SimulatedRequest.onHeap(MODEL, 2, new SplittableRandom(1)));
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
    pinned.close();

    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }

  @Test
  void shouldNotTakeABatchForRunningThatWasNeverSubmitted() {
    CudaSimulator simulator = Simulators.start("real_time=1 copy_ns=1000");
    BufferPool pinned =
        new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    GpuPlace place = place(simulator, pinned, false);
    place.use();
    LaneGroup group =
        new LaneGroup(place, new Weights(), MODEL.layout(), LANES, 0, "lanes", false, () -> {});
    List<SimulatedRequest> batch =
        List.of(SimulatedRequest.onHeap(MODEL, 2, new SplittableRandom(1)));
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
    pinned.close();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }

  /** The thread that waits for batches is the first to hear of it. */
  @Test
  void shouldSayThatTheDeviceIsLostWhenTheThreadThatWaitsCannotUseIt() {
    CudaSimulator simulator = Simulators.start("copy_ns=1000");
    BufferPool pinned =
        new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    AtomicBoolean taken = new AtomicBoolean();
    GpuPlace place = place(lostToWaiter(simulator.cuda(), taken), pinned, false);
    LaneGroup group =
        new LaneGroup(place, new Weights(), MODEL.layout(), LANES, 0, "lost", false, () -> {});
    ModelExecutor lane = group.newLane(MODEL.maxBatchSize());
    taken.set(true);
    awaitWaiting("device-lost");
    List<SimulatedRequest> batch =
        List.of(SimulatedRequest.onHeap(MODEL, 2, new SplittableRandom(1)));

    assertThatThrownBy(() -> lane.execute(batch)).hasMessageContaining("cannot be used");

    assertThat(place.lost()).contains("cudaSetDevice");
    lane.close();
    pinned.close();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }

  /** Returns a runtime that tells the thread which waits, once it may, that the device is lost. */
  private static Cuda lostToWaiter(Cuda cuda, AtomicBoolean told) {
    return (Cuda)
        Proxy.newProxyInstance(
            Cuda.class.getClassLoader(),
            new Class<?>[] {Cuda.class},
            (proxy, called, args) -> {
              if (called.getName().equals("useDevice")
                  && Thread.currentThread().getName().equals("device-lost")) {
                while (!told.get()) {
                  Thread.onSpinWait();
                }
                throw new CudaException("cudaSetDevice", 719, "lost");
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
    CudaSimulator simulator = Simulators.start("copy_ns=1000");
    BufferPool pinned =
        new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    GpuPlace place = place(simulator, pinned, false);
    place.use();
    List<Long> keptBytes = new ArrayList<>();
    GpuBackend backend =
        new GpuBackend() {
          @Override
          public String name() {
            return "kernel";
          }

          @Override
          public boolean takes(Path file, ModelConfig config) {
            return true;
          }

          @Override
          public String unavailable() {
            return "";
          }

          @Override
          public DeviceModel load(Path file, GpuLoadOptions options) {
            keptBytes.add(place.residents().takenBytes());
            return new Weights();
          }
        };
    keep(place);
    long keptBefore = place.residents().takenBytes();

    GpuModel model =
        GpuModel.load(
            Path.of("model"),
            place,
            List.of(backend),
            new GpuLoadOptions("m", place.cuda(), 0, device, ModelConfig.empty("m")),
            0);
    keep(place);
    try (ModelExecutor unused = model.newExecutor(4)) {
      keptBytes.add(place.residents().takenBytes());
    }
    model.close();
    place.close();
    pinned.close();

    assertThat(keptBefore).isPositive();
    assertThat(keptBytes).containsExactly(0L, 0L);
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  /** As after a batch whose outputs the next model has read. */
  private static void keep(GpuPlace place) {
    long stream = place.cuda().newStream(0);
    place.residents().tryAllocate(MIB, stream).leave();
    place.cuda().awaitStream(stream);
    place.cuda().destroyStream(stream);
  }

  private GpuPlace place(CudaSimulator simulator, BufferPool pinned, boolean spins) {
    return place(simulator.cuda(), pinned, spins);
  }

  private GpuPlace place(Cuda cuda, BufferPool pinned, boolean spins) {
    return new GpuPlace(
        cuda, Gpus.find(0).usable().get(0), device, host, pinned, spins, (which, isolation) -> {});
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

  /** None: the kernel has no weights. */
  private static final class Weights implements DeviceModel {

    @Override
    public List<TensorSpec> inputs() {
      return MODEL.layout().inputs();
    }

    @Override
    public List<TensorSpec> outputs() {
      return MODEL.layout().outputs();
    }

    @Override
    public long reservedBytes() {
      return 0;
    }

    @Override
    public DeviceEngine newEngine(EngineSite site) {
      return new Kernel();
    }

    @Override
    public void close() {}
  }

  private static final class Kernel implements DeviceEngine {

    @Override
    public void enqueue(int items, DeviceBatch batch, long stream) {
      TestKernel.launch(
          stream,
          items,
          batch.input(0),
          Integer.BYTES * (long) MODEL.inWords(),
          batch.output(0),
          Integer.BYTES * (long) MODEL.outWords(),
          MODEL.computeNs());
    }

    @Override
    public void close() {}
  }
}
