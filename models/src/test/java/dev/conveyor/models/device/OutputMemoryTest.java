package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Pinned memory for outputs, of a model with large ones. */
class OutputMemoryTest {

  private static final long MIB = 1 << 20;

  /** Outputs of 16 KiB per item, and 512 KiB of the largest batch of a configuration without. */
  private static final SimulatedModel MODEL = new SimulatedModel(16, 4096, 32, 3, 1_000);

  private static final long ITEM_BYTES = Integer.BYTES * (long) MODEL.outWords();

  private final MemoryBudget device = new MemoryBudget("gpu-0", 64 * MIB);
  private final MemoryBudget host = new MemoryBudget("host", 64 * MIB);
  private final SplittableRandom random = new SplittableRandom(1);
  private CudaSimulator simulator;

  @BeforeEach
  void start() {
    simulator = Simulators.start("real_time=1 copy_ns=1000");
  }

  private GpuModel load(BufferPool pinned) {
    GpuPlace place =
        new GpuPlace(
            simulator.cuda(),
            Gpus.find(0).usable().get(0),
            device,
            host,
            pinned,
            false,
            (which, isolation) -> {});
    return GpuModel.load(
        Path.of("model"),
        place,
        List.of(new KernelBackend()),
        new GpuLoadOptions("m", simulator.cuda(), 0, device, ModelConfig.empty("m")),
        0);
  }

  private BufferPool pinned(long bytes) {
    return new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), bytes);
  }

  @Test
  void shouldTakeAsMuchAsThereAreItemsAndNotAsTheLargestBatchHas() {
    BufferPool pinned = pinned(32 * ITEM_BYTES);
    GpuModel model = load(pinned);
    List<Tensor> kept = new ArrayList<>();
    try (ModelExecutor executor = model.newExecutor(MODEL.maxBatchSize())) {
      for (int i = 0; i < 16; i++) {
        List<SimulatedRequest> batch =
            List.of(
                SimulatedRequest.onHeap(MODEL, 1, random),
                SimulatedRequest.onHeap(MODEL, 1, random));
        List<List<Tensor>> outputs = executor.execute(batch).outputs();
        for (int r = 0; r < batch.size(); r++) {
          assertThat(batch.get(r).isAnsweredBy(outputs.get(r))).isTrue();
          kept.addAll(outputs.get(r));
        }
      }
      assertThat(pinned.leasedBytes()).isEqualTo(32 * ITEM_BYTES);
    }
    kept.forEach(Tensor::close);
    model.close();
    pinned.close();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }

  @Test
  void shouldNotLoadWhatCouldNeverAnswerItsLargestBatch() {
    BufferPool pinned = pinned(31 * ITEM_BYTES);

    assertThatThrownBy(() -> load(pinned))
        .isInstanceOf(ModelLoadException.class)
        .hasMessageContaining("a batch of 32 has 524288 bytes of outputs")
        .hasMessageContaining("max_batch_size");

    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }

  @Test
  void shouldCloseAnInstanceThatNobodyWants() {
    BufferPool pinned = pinned(32 * ITEM_BYTES);
    GpuModel model = load(pinned);
    assertThat(device.reservedBytes()).as("its slabs").isPositive();

    model.newExecutor(4).close();
    model.close();

    load(pinned).close();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }

  private static final class KernelBackend implements GpuBackend {

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
      return new Weights();
    }
  }

  /** None: the kernel has no weights. */
  private static final class Weights implements DeviceModel {

    @Override
    public List<TensorSpec> inputs() {
      return List.of(new TensorSpec("in", DataType.INT32, Shape.of(-1, MODEL.inWords())));
    }

    @Override
    public List<TensorSpec> outputs() {
      return List.of(new TensorSpec("out", DataType.INT32, Shape.of(-1, MODEL.outWords())));
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
