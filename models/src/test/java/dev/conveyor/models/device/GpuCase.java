package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.models.config.ModelConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;

/**
 * A simulated GPU with its ledgers and pinned memory. Tests have threads of their own, since what
 * waits for a device is not to be interrupted.
 */
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
abstract class GpuCase {

  static final long MIB = 1 << 20;

  final SplittableRandom random = new SplittableRandom(1);
  final MemoryBudget device = new MemoryBudget("gpu-0", 64 * MIB);
  final MemoryBudget host = new MemoryBudget("host", 64 * MIB);
  CudaSimulator simulator;
  BufferPool pinned;
  GpuPlace place;

  void begin(String settings) {
    begin(settings, 16 * MIB);
  }

  /** Begins anew; the calling thread is on the device. */
  void begin(String settings, long pinnedBytes) {
    simulator = Simulators.start(settings);
    pinned = new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), pinnedBytes);
    place = place(simulator.cuda(), false);
  }

  GpuPlace place(Cuda cuda, boolean spins) {
    return new GpuPlace(
        cuda, Gpus.find(0).usable().get(0), device, host, pinned, spins, (which, isolation) -> {});
  }

  GpuModel load(GpuBackend backend) {
    return GpuModel.load(
        Path.of("model"),
        place,
        List.of(backend),
        new GpuLoadOptions("m", place.cuda(), 0, device, ModelConfig.empty("m")),
        0);
  }

  /** All models are closed: nothing may be left anywhere. */
  void assertNothingLeft() {
    place.close();
    pinned.close();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }
}
