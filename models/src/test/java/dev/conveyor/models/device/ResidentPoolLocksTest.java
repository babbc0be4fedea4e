package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.models.Crops;
import dev.conveyor.models.DataType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Whoever submits a batch takes the pool's lock, so nobody may wait for the device under it. */
class ResidentPoolLocksTest {

  private static final int MIB = 1 << 20;
  private static final int IMAGE_BYTES = MIB;

  private final List<String> seen = new ArrayList<>();
  private final List<String> underLock = new ArrayList<>();
  private CudaSimulator simulator;
  private MemoryBudget device;
  private BufferPool pinned;
  private ResidentPool residents;
  private long stream;

  @BeforeEach
  void start() {
    simulator = Simulators.start("latency_ns=30000");
    device = new MemoryBudget("GPU0", 64 * MIB);
    MemoryBudget host = new MemoryBudget("host", 64 * MIB);
    pinned = new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    residents = new ResidentPool(watched(simulator.cuda()), 0, device, pinned, reason -> {});
    stream = simulator.cuda().newStream(0);
  }

  /** Notes calls that wait for the device, or enqueue a crop, and whether the lock is held then. */
  private Cuda watched(Cuda cuda) {
    Set<String> calls = Set.of("awaitStream", "awaitEvent", "waitFor");
    return (Cuda)
        Proxy.newProxyInstance(
            Cuda.class.getClassLoader(),
            new Class<?>[] {Cuda.class},
            (proxy, called, args) -> {
              if (calls.contains(called.getName())) {
                seen.add(called.getName());
                if (Thread.holdsLock(residents)) {
                  underLock.add(called.getName());
                }
              }
              try {
                return called.invoke(cuda, args);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private ResidentBytes image() {
    Lease lease = pinned.acquire(IMAGE_BYTES);
    ResidentBytes there = residents.tryKeep(lease.address(), IMAGE_BYTES, stream);
    simulator.cuda().awaitStream(stream);
    lease.close();
    return there;
  }

  private static Crops crops(int side) {
    List<Crops.Box> boxes = List.of(new Crops.Box(1, 1, 9, 9));
    return new Crops(DataType.UINT8, 1, 1024, IMAGE_BYTES / 1024, side, side, boxes);
  }

  private void finish() {
    residents.close();
    simulator.cuda().destroyStream(stream);
    pinned.close();
    assertThat(underLock).isEmpty();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes()).isZero();
  }

  @Test
  void shouldCutAndTrimWithoutTheLock() {
    ResidentBytes image = image();
    ResidentBytes crop = residents.pixels().tryWork(image, crops(8));
    assertThat(crop).isNotNull();
    image.close();
    crop.close();
    residents.trim();
    assertThat(seen).contains("waitFor", "awaitStream");
    finish();
  }

  @Test
  void shouldWaitWithoutTheLockForWhatTheLedgerRefuses() {
    ResidentBytes image = image();
    MemoryBudget.Reservation others = device.reserve("others", device.availableBytes());
    seen.clear();
    assertThat(residents.pixels().tryWork(image, crops(2048))).isNull();
    assertThat(seen).as("the refusal waits").contains("awaitStream");
    others.close();
    image.close();
    finish();
  }
}
