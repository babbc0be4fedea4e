package dev.conveyor.models.process;

import static dev.conveyor.models.process.Runs.floats;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.GpuLoadOptions;
import dev.conveyor.models.device.GpuPlace;
import dev.conveyor.models.device.LoadMeter;
import dev.conveyor.models.device.Simulators;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the server makes of what workers on a GPU say; the workers are played. */
final class GpuWorkersTest {

  private static final long MIB = 1L << 20;

  @TempDir private Path dir;

  private final MemoryBudget host = new MemoryBudget("host", 64 * MIB);
  private final MemoryBudget device = new MemoryBudget("GPU0", 64 * MIB);
  private CudaSimulator simulator;
  private BufferPool pinned;
  private GpuPlace place;
  private Workers workers;
  private ProcessBackend backend;
  private Path model;

  @BeforeEach
  void begin() throws IOException {
    simulator = Simulators.start("");
    pinned = new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), MIB);
    place =
        new GpuPlace(
            simulator.cuda(),
            Gpus.find(0).usable().get(0),
            device,
            host,
            pinned,
            false,
            (which, isolation) -> {});
    workers = new Workers(dir, ScriptedGpuWorker.class.getName(), Duration.ofMinutes(5));
    backend =
        new ProcessBackend(
            workers,
            FaultyBackend.class,
            "scripted",
            ProcessLimits.NONE,
            new GpuShare(place, device, ModelConfig.empty("test")));
    model = Files.writeString(dir.resolve("model"), "");
  }

  @AfterEach
  void end() {
    if (simulator != null) {
      workers.close();
      place.close();
      pinned.close();
      assertThat(host.reservedBytes() + device.reservedBytes()).isZero();
      simulator.reset("devices=0");
    }
  }

  private LoadedModel load() {
    return backend.load(model, Runs.options(host));
  }

  private void put(String suffix) throws IOException {
    Files.writeString(Path.of(model + suffix), "");
  }

  private void remove(String suffix) throws IOException {
    Files.delete(Path.of(model + suffix));
  }

  private static Set<Long> processes() {
    return ProcessHandle.current()
        .children()
        .filter(ProcessHandle::isAlive)
        .map(ProcessHandle::pid)
        .collect(Collectors.toSet());
  }

  @Test
  void shouldKeepTheLedgerAndTheFreeLanesOfAWorkerOneOfWhoseLanesFails() throws IOException {
    try (LoadedModel loaded = load();
        ModelExecutor first = loaded.newExecutor(1)) {
      assertThat(host.holders()).containsEntry("test/worker", ScriptedGpuWorker.PREPARED_BYTES);
      Set<Long> before = processes();

      put(ScriptedGpuWorker.NO_ROOM);
      assertThatThrownBy(() -> loaded.newExecutor(1)).hasMessageContaining("no room");
      assertThat(host.holders()).containsEntry("test/worker", ScriptedGpuWorker.PREPARED_BYTES);

      remove(ScriptedGpuWorker.NO_ROOM);
      try (ModelExecutor third = loaded.newExecutor(1)) {
        assertThat(third.lossCause()).isEmpty();
        assertThat(processes()).isEqualTo(before);
      }
      assertThat(first.lossCause()).isEmpty();
    }
  }

  @Test
  void shouldKeepWhatTheFirstLaneHoldsInTheLedgerWhenThereIsNoRoomForTheNext() throws IOException {
    try (LoadedModel loaded = load();
        ModelExecutor first = loaded.newExecutor(1);
        ModelExecutor second = loaded.newExecutor(1)) {
      first.execute(List.of(floats("t", 1, 1f)));
      try (Reservation rest = host.reserve("others", host.availableBytes())) {
        assertThatThrownBy(() -> loaded.newExecutor(1)).hasMessageContaining("slabs");
        assertThat(rest.bytes()).isPositive();
      }
      assertThat(host.holders().get("test/worker")).isPositive();
      assertThat(second.lossCause()).isEmpty();
    }
  }

  @Test
  void shouldReportWhatAWorkerHasPinnedSinceItWasPrepared() {
    try (LoadedModel loaded = load();
        ModelExecutor executor = loaded.newExecutor(1)) {
      assertThat(host.holders()).containsEntry("test/worker", ScriptedGpuWorker.PREPARED_BYTES);

      executor.execute(List.of(floats("t", 1, 1f)));

      assertThat(host.holders()).containsEntry("test/worker", ScriptedGpuWorker.AFTER_RUN_BYTES);
    }
  }

  @Test
  void shouldKillAWorkerThatHasPinnedMoreThanThereIs() {
    try (LoadedModel loaded = load();
        ModelExecutor executor = loaded.newExecutor(1);
        Reservation rest = host.reserve("others", host.availableBytes())) {
      assertThatThrownBy(() -> executor.execute(List.of(floats("t", 1, 1f))))
          .hasMessageContaining("holds %d bytes".formatted(ScriptedGpuWorker.AFTER_RUN_BYTES));
      assertThat(executor.lossCause()).isEqualTo("over_memory");
      assertThat(rest.bytes()).isPositive();
    }
  }

  @Test
  void shouldSayThatTheDeviceIsLostWhenAWorkerCannotPinSharedMemoryForIt() throws IOException {
    put(ScriptedGpuWorker.LOST);
    try (LoadedModel loaded = load()) {
      assertThatThrownBy(() -> loaded.newExecutor(1))
          .isInstanceOf(ModelLoadException.class)
          .hasMessageContaining("has lost its GPU: cudaHostRegister");
    }
    assertThat(place.lost()).isNull();
  }

  @Test
  void shouldNotGiveTheDeviceUpWhenAWorkerWasOnlyClosedBefore() throws IOException {
    try (LoadedModel loaded = load()) {
      loaded.newExecutor(1).close();
      put(ScriptedGpuWorker.UNUSABLE);

      assertThatThrownBy(() -> loaded.newExecutor(1)).hasMessageContaining("cannot use its GPU");

      assertThat(place.givenUp()).isNull();
    }
  }

  @Test
  void shouldGiveTheDeviceUpWhenAWorkerThatTakesTheOneOfAnotherCannotUseIt() throws IOException {
    try (LoadedModel loaded = load()) {
      try (ModelExecutor executor = loaded.newExecutor(1)) {
        executor.cancel();
      }
      put(ScriptedGpuWorker.UNUSABLE);

      assertThatThrownBy(() -> loaded.newExecutor(1)).hasMessageContaining("cannot use its GPU");

      assertThat(place.givenUp()).contains("no driver");
      assertThat(place.lost()).as("to models in this process").isNull();
    }
  }

  @Test
  void shouldMeasureNoLoadWhileAWorkerLoadsOnTheSameDevice() throws Exception {
    put(ScriptedGpuWorker.GATE);
    CompletableFuture<LoadedModel> apart = CompletableFuture.supplyAsync(this::load);

    Map<String, Long> known = loadWithinWhileGrowing(apart);

    assertThat(known).containsEntry("test/weights", ScriptedGpuWorker.BYTES_ON_GPU);
    apart.join().close();
  }

  @Test
  void shouldMeasureNoLoadWhileAWorkerMakesRoomForMoreBatchesThere() throws Exception {
    try (LoadedModel loaded = load()) {
      put(ScriptedGpuWorker.GATE);
      CompletableFuture<ModelExecutor> lane =
          CompletableFuture.supplyAsync(() -> loaded.newExecutor(1));

      Map<String, Long> known = loadWithinWhileGrowing(lane);

      assertThat(known).containsEntry("test/slabs", ScriptedGpuWorker.SLAB_BYTES);
      lane.join().close();
    }
  }

  /** Returns what was in the ledger as soon as another load was measured, which is let end. */
  private Map<String, Long> loadWithinWhileGrowing(CompletableFuture<?> apart) throws Exception {
    while (!Files.exists(Path.of(model + ScriptedGpuWorker.GROWING))) {
      assertThat(apart).as("it waits at the gate").isNotDone();
    }
    CompletableFuture<Map<String, Long>> known = new CompletableFuture<>();
    Thread within = new Thread(() -> loadWithin(() -> known.complete(device.holders())));
    within.start();
    while (!known.isDone() && within.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
    remove(ScriptedGpuWorker.GATE);
    within.join();
    return known.join();
  }

  @Test
  void shouldKeepAWorkerThatIsClosedAndItsMemoryUntilALoadThereIsMeasured() throws Exception {
    LoadedModel loaded = load();
    ModelExecutor executor = loaded.newExecutor(1);
    Set<Long> running = processes();
    Thread closer = new Thread(executor::close);

    loadWithin(
        () -> {
          closer.start();
          while (closer.isAlive() && closer.getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
          }
          assertThat(device.holders()).containsKey("test/weights");
          assertThat(processes()).isEqualTo(running);
        });

    closer.join();
    loaded.close();
    assertThat(device.holders()).isEmpty();
  }

  @Test
  void shouldCloseAWorkerWhileAnotherLoadsOnTheSameDevice() throws Exception {
    LoadedModel loaded = load();
    ModelExecutor executor = loaded.newExecutor(1);
    put(ScriptedGpuWorker.GATE);
    CompletableFuture<LoadedModel> other = CompletableFuture.supplyAsync(this::load);
    try {
      while (!Files.exists(Path.of(model + ScriptedGpuWorker.GROWING))) {
        assertThat(other).as("it waits at the gate").isNotDone();
      }
      // A thread of its own: the common pool of a small machine has one, which loads.
      Thread closer = new Thread(executor::close);
      closer.start();
      closer.join(TimeUnit.SECONDS.toMillis(60));
      assertThat(closer.isAlive()).isFalse();

      assertThat(device.holders()).as("nothing of the other is known yet").isEmpty();
      assertThat(other).isNotDone();
    } finally {
      remove(ScriptedGpuWorker.GATE);
      other.join().close();
      loaded.close();
    }
  }

  @Test
  void shouldKeepAWorkerThatIsClosedAndItsMemoryUntilAnotherHasMeasuredItsLoad() throws Exception {
    LoadedModel loaded = load();
    ModelExecutor executor = loaded.newExecutor(1);
    Set<Long> running = processes();
    put(ScriptedGpuWorker.MEASURES);
    put(ScriptedGpuWorker.GATE);
    CompletableFuture<LoadedModel> other = CompletableFuture.supplyAsync(this::load);
    Thread closer = new Thread(executor::close);
    try {
      while (!Files.exists(Path.of(model + ScriptedGpuWorker.GROWING))) {
        assertThat(other).as("it waits at the gate").isNotDone();
      }
      closer.start();
      while (closer.isAlive() && closer.getState() != Thread.State.TIMED_WAITING) {
        Thread.onSpinWait();
      }
      assertThat(device.holders()).containsKey("test/weights");
      assertThat(processes()).containsAll(running);
    } finally {
      remove(ScriptedGpuWorker.GATE);
      other.join().close();
      closer.join();
      loaded.close();
    }
    assertThat(device.holders()).isEmpty();
  }

  /** As a model of this process, which takes nothing. */
  private void loadWithin(Runnable loader) {
    simulator.cuda().useDevice(0);
    try (Reservation weights = device.reserve("within/weights", 0)) {
      Runnable loaded =
          LoadMeter.load(
              new GpuLoadOptions(
                  "within", simulator.cuda(), 0, device, ModelConfig.empty("within")),
              weights,
              () -> {
                loader.run();
                return loader;
              },
              nothing -> {});
      assertThat(loaded).isSameAs(loader);
    }
  }
}
