package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.Crops;
import dev.conveyor.models.DataType;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How many crops a launch cuts; that their numbers are right for few of them is told elsewhere. */
class DeviceCropsLaunchesTest {

  private static final long MIB = 1 << 20;
  private static final int SIDE = 6;
  private static final int IMAGE_BYTES = SIDE * SIDE;

  @ParameterizedTest
  @CsvSource({"1,1", "2,1", "240,1", "241,2", "500,3"})
  void shouldCutAllCropsOfABatchInOneLaunchOf240(int crops, int launches) {
    CudaSimulator simulator = Simulators.start("copy_ns=1000");
    MemoryBudget device = new MemoryBudget("gpu-0", 64 * MIB);
    MemoryBudget host = new MemoryBudget("host", 64 * MIB);
    BufferPool pinned =
        new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    ResidentPool residents = new ResidentPool(simulator.cuda(), 0, device, pinned, why -> {});
    long upload = simulator.cuda().newStream(0);
    byte[] pixels = new byte[crops * IMAGE_BYTES];
    new SplittableRandom(1).nextBytes(pixels);
    Lease images = pinned.acquire(pixels.length);
    images.buffer().put(0, pixels);
    ResidentBytes there = residents.tryKeep(images.address(), pixels.length, upload);

    // A box of one pixel each, of another pixel from image to image: cut as it is.
    List<Crops.Box> boxes = new ArrayList<>();
    for (int i = 0; i < crops; i++) {
      int x = i % SIDE;
      int y = i / SIDE % SIDE;
      boxes.add(new Crops.Box(x, y, x + 1, y + 1));
    }
    ResidentBytes cut =
        residents.pixels().tryWork(there, new Crops(DataType.UINT8, 1, SIDE, SIDE, 1, 1, boxes));
    try (Lease answer = residents.toHost(cut.block(), cut.address(), crops)) {
      for (int i = 0; i < crops; i++) {
        int at = i / SIDE % SIDE * SIDE + i % SIDE;
        assertThat(answer.buffer().get(i)).isEqualTo(pixels[i * IMAGE_BYTES + at]);
      }
    }
    assertThat(simulator.figure(0, Figure.KERNELS)).isEqualTo(launches);

    there.close();
    cut.close();
    simulator.cuda().awaitStream(upload);
    simulator.cuda().destroyStream(upload);
    images.close();
    residents.close();
    pinned.close();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }
}
