package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.device.sim.HostJpegs;
import dev.conveyor.models.image.TestImages;
import dev.conveyor.models.steps.StepResources;
import dev.conveyor.models.steps.StepSettings;
import dev.conveyor.models.steps.Steps;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;

/** A step that decodes, on a simulated device, where OpenCV stands for nvJPEG. */
abstract class DecodeCase {

  static final long MIB = 1 << 20;
  static final String DEVICE = "GPU0";
  static final String ADVERSE = "jitter_percent=500 latency_ns=30000 copy_ns=5000 seed=";
  static final int WIDTH = 40;
  static final int HEIGHT = 24;

  CudaSimulator simulator;
  MemoryBudget device;
  MemoryBudget host;
  BufferPool pinned;
  BufferPool memory;
  GpuPlace place;

  @BeforeEach
  void start() {
    begin(ADVERSE + 1);
  }

  void begin(String settings) {
    simulator = Simulators.start(settings);
    simulator.decodeJpegs(new HostJpegs());
    host = new MemoryBudget("host", 64 * MIB);
    pinned = new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    memory = new BufferPool(BlockAllocator.host(), 16 * MIB);
    placeOn(simulator.cuda(), 256 * MIB);
  }

  void placeOn(Cuda cuda, long bytes) {
    device = new MemoryBudget(DEVICE, bytes);
    Gpu gpu = new Gpu(0, "GPU-0", "Simulated GPU", 90, 1L << 30);
    place = new GpuPlace(cuda, gpu, device, host, pinned, false, (which, isolation) -> {});
  }

  void assertNothingLeft() {
    place.close();
    pinned.close();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes() + memory.leasedBytes()).isZero();
  }

  static byte[] jpeg() {
    return TestImages.jpeg(TestImages.gradient(WIDTH, HEIGHT));
  }

  Tensor run(StepResources resources, String step, Map<String, String> settings, Tensor in) {
    return resources
        .run(
            Steps.onClassPath().create("conveyor." + step, new StepSettings(0, settings)),
            List.of(in))
        .get(0);
  }

  StepResources there() {
    return new StepResources(
        memory,
        Long.MAX_VALUE,
        (where, output) -> where.equals(DEVICE) && output.equals("image"),
        List.of(place));
  }

  Tensor decode(Map<String, String> settings, byte[]... images) {
    return run(there(), "decode", settings, encoded(images));
  }

  Tensor decodeOnHost(Map<String, String> settings, byte[]... images) {
    StepResources resources = new StepResources(memory, Long.MAX_VALUE);
    return run(resources, "decode", settings, encoded(images));
  }

  static Tensor encoded(byte[]... images) {
    return BytesTensors.of("image", Shape.of(images.length), List.of(images));
  }

  static byte[] bytes(Tensor tensor) {
    byte[] bytes = new byte[tensor.sizeBytes()];
    tensor.data().get(0, bytes);
    return bytes;
  }
}
