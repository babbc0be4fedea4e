package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.models.config.ModelConfigReader;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class LoadMeterTest {

  private static final long MIB = 1L << 20;

  private CudaSimulator simulator;
  private Cuda cuda;
  private long stream;
  private final MemoryBudget ledger = new MemoryBudget("GPU0", 256 * MIB);
  private final List<Long> pools = new ArrayList<>();

  @BeforeEach
  void begin() {
    simulator = Simulators.start("");
    cuda = simulator.cuda();
    stream = cuda.newStream(0);
  }

  @AfterEach
  void end() {
    if (simulator != null) {
      simulator.reset("devices=0");
    }
  }

  private GpuLoadOptions options(MemoryBudget budget) {
    return new GpuLoadOptions("m/1", cuda, 0, budget, ModelConfigReader.read("m", "{}"));
  }

  /** As a library does it, which puts nothing into the ledger. */
  private long take(long bytes) {
    long pool = cuda.newPool(0, bytes);
    long unused = cuda.allocate(pool, bytes, stream);
    cuda.awaitStream(stream);
    pools.add(pool);
    return pool;
  }

  @Test
  void shouldNotCountWhatIsLoadedAtTheSameTime() throws InterruptedException {
    Reservation first = ledger.reserve("first/weights", 0);
    Reservation second = ledger.reserve("second/weights", 0);
    CountDownLatch secondTook = new CountDownLatch(1);
    CountDownLatch firstIsLoaded = new CountDownLatch(1);
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Thread other =
        new Thread(
            () -> {
              try {
                cuda.useDevice(0);
                long unused =
                    LoadMeter.load(
                        options(ledger),
                        second,
                        () -> {
                          long pool = take(8 * MIB);
                          secondTook.countDown();
                          awaitQuietly(firstIsLoaded);
                          return pool;
                        },
                        pool -> {});
              } catch (Throwable e) {
                failure.set(e);
              }
            });

    long unused =
        LoadMeter.load(
            options(ledger),
            first,
            () -> {
              other.start();
              while (secondTook.getCount() > 0 && other.getState() != Thread.State.TIMED_WAITING) {
                Thread.onSpinWait();
              }
              return take(4 * MIB);
            },
            pool -> {});
    firstIsLoaded.countDown();
    other.join();

    assertThat(failure.get()).isNull();
    assertThat(first.bytes()).isEqualTo(4 * MIB);
    assertThat(second.bytes()).isEqualTo(8 * MIB);
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void shouldNotCountWhatOthersPutIntoTheLedgerMeanwhile() {
    Reservation weights = ledger.part("model 'm'", 128 * MIB).reserve("m/1/weights", 0);

    try (DevicePool leaving = new DevicePool(cuda, 0, 16 * MIB, ledger, "gone/1/slabs");
        DevicePool coming = new DevicePool(cuda, 0, 16 * MIB, ledger, "other/1/slabs")) {
      leaving.preallocate(16 * MIB, stream);
      long unused =
          LoadMeter.load(
              options(ledger.part("model 'm'", 128 * MIB)),
              weights,
              () -> {
                leaving.trim();
                coming.preallocate(6 * MIB, stream);
                return take(4 * MIB);
              },
              pool -> {});
    }

    assertThat(weights.bytes()).isEqualTo(4 * MIB);
  }

  @Test
  void shouldMeasureFromWhenItHasSaidSo() {
    Reservation weights = ledger.reserve("m/1/weights", 0);
    GpuLoadOptions options =
        new GpuLoadOptions(
            "m/1", cuda, 0, ledger, ModelConfigReader.read("m", "{}"), () -> take(8 * MIB));

    long unused = LoadMeter.load(options, weights, () -> take(4 * MIB), pool -> {});

    assertThat(pools).hasSize(2);
    assertThat(weights.bytes()).isEqualTo(4 * MIB);
  }

  @Test
  void shouldUndoALoadThatDoesNotFitIntoTheLedger() {
    MemoryBudget small = ledger.part("model 'm'", 2 * MIB);
    List<Long> closed = new ArrayList<>();

    assertThatThrownBy(
            () ->
                LoadMeter.load(
                    options(small),
                    small.reserve("m/1/weights", 0),
                    () -> take(4 * MIB),
                    closed::add))
        .isInstanceOf(BudgetExceededException.class);

    assertThat(closed).isEqualTo(pools);
    assertThat(ledger.reservedBytes()).isZero();
  }

  @Test
  void shouldGiveItsPlaceInTheLedgerBackWhateverHappensToTheUnload() {
    Reservation weights = ledger.reserve("m/1/weights", 4 * MIB);

    assertThatThrownBy(
            () ->
                LoadMeter.unload(
                    0,
                    weights,
                    () -> {
                      throw new IllegalStateException("no");
                    }))
        .hasMessage("no");

    assertThat(ledger.reservedBytes()).isZero();
    Reservation next = ledger.reserve("n/1/weights", 0);
    long unused = LoadMeter.load(options(ledger), next, () -> take(MIB), pool -> {});
    assertThat(next.bytes()).isEqualTo(2 * MIB);
  }
}
