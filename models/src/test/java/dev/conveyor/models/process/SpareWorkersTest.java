package dev.conveyor.models.process;

import static dev.conveyor.models.process.Runs.floats;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.ThreadPriority;
import dev.conveyor.models.OnnxFiles;
import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ProcessIsolation;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.models.process.worker.WorkerMain;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Workers that wait for one to be lost: real processes. */
final class SpareWorkersTest {

  /** A machine that is slow is no reason to lose a worker. */
  private static final ProcessLimits LIMITS = limits(512L << 20);

  private static final long LOOK_NS = 5_000_000;
  private static final long PATIENCE_NS = TimeUnit.MINUTES.toNanos(2);

  @TempDir private Path dir;

  private final MemoryBudget budget = new MemoryBudget("CPU", 256L << 20);
  private Workers workers;

  @AfterEach
  void stop() {
    workers.close();
    assertThat(budget.reservedBytes()).as("everything is returned").isZero();
    assertThat(ProcessHandle.current().children().filter(ProcessHandle::isAlive)).isEmpty();
    try (Stream<Path> left = Files.list(dir)) {
      assertThat(left.filter(Files::isDirectory)).isEmpty();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void shouldGiveALostWorkersPlaceToTheSpareAndStartAnother() throws Exception {
    start(WorkerMain.class);
    Path file = OnnxFiles.identity(dir.resolve("model.onnx"), 2);
    try (LoadedModel model = load(OnnxBackend.class, LIMITS, file)) {
      long spare;
      try (ModelExecutor executor = model.newExecutor(4)) {
        spare = awaitSpare();
        assertThat(executor.processId()).isNotEqualTo(spare);
        assertThat(Files.readString(Path.of("/proc/" + spare + "/oom_score_adj")))
            .isEqualTo("1000\n");
        assertThat(Files.readString(Path.of("/proc/" + executor.processId() + "/oom_score_adj")))
            .as("of equal ones the largest would go first")
            .isEqualTo("500\n");
        assertThat(workers.spares().ready().get(0).heldBytes()).isPositive();
        lose(executor);
      }
      try (ModelExecutor executor = model.newExecutor(4)) {
        assertThat(executor.processId()).isEqualTo(spare);
        assertThat(floats(executor.execute(List.of(floats("INPUT0", 1, 7, 8))), 0))
            .containsExactly(7, 8);
        assertThat(awaitSpare()).isNotEqualTo(spare);
        assertThat(workers.spares().taken()).isEqualTo(1);
      }
    }
  }

  @Test
  void shouldRunOnIdleCoresOnlyUntilItIsTaken() throws Exception {
    assumeTrue(ThreadPriority.canRaise(), "needs the permission to raise a priority");
    start(WorkerMain.class);
    try (LoadedModel model = load(good());
        ModelExecutor first = model.newExecutor(4)) {
      long spare = awaitSpare();
      assertThat(ThreadPriority.isIdle(spare)).isTrue();
      assertThat(ThreadPriority.isIdle(first.processId())).isFalse();
      try (ModelExecutor second = model.newExecutor(4)) {
        assertThat(second.processId()).as("one instance more").isEqualTo(spare);
        assertThat(ThreadPriority.isIdle(spare)).isFalse();
      }
    }
  }

  @Test
  void shouldStartANewWorkerWhereTheSpareHasOtherLimits() throws Exception {
    start(WorkerMain.class);
    Path file = good();
    try (LoadedModel one = load(file);
        LoadedModel other = load(FaultyBackend.class, limits(768L << 20), file);
        ModelExecutor first = one.newExecutor(4)) {
      long spare = awaitSpare();
      try (ModelExecutor of = other.newExecutor(4);
          ModelExecutor more = other.newExecutor(4)) {
        assertThat(List.of(of.processId(), more.processId())).doesNotContain(spare);
        assertThat(workers.spares().taken()).isZero();
      }
      assertThat(first.processId()).isNotEqualTo(spare);
    }
  }

  @Test
  void shouldHoldASpareToTheLimitsOfTheWorkerThatItReplaces() throws Exception {
    start(ReportingWorker.class);
    Path file = good();
    try (LoadedModel model = load(file);
        ModelExecutor first = model.newExecutor(4)) {
      Path report = Path.of(file + ReportingWorker.REPORT);
      Files.delete(report);
      long spare = awaitSpare();
      try (ModelExecutor second = model.newExecutor(4)) {
        assertThat(second.processId()).isEqualTo(spare).isNotEqualTo(first.processId());
        assertThat(Files.readString(report))
            .containsPattern("Max data size +536870912 +536870912 +bytes")
            .containsPattern("Max open files +256 +256 +files")
            .contains("oom_score_adj=1000");
      }
    }
  }

  @Test
  void shouldReplaceASpareThatDies() throws Exception {
    start(WorkerMain.class);
    try (LoadedModel model = load(good());
        ModelExecutor first = model.newExecutor(4)) {
      long spare = awaitSpare();
      CompletableFuture<Loss> lost = new CompletableFuture<>();
      workers.onSpareLost(lost::complete);
      ProcessHandle.of(spare).orElseThrow().destroyForcibly();
      assertThat(lost.get(60, TimeUnit.SECONDS).cause()).isEqualTo(Loss.Cause.SIGNALLED);
      long next = awaitSpare();
      while (next == spare) {
        next = awaitSpare();
      }
      assertThat(ProcessHandle.of(next)).isPresent();
      assertThat(first.processId()).isNotEqualTo(next);
      assertThat(workers.spares().taken()).isZero();
    }
  }

  @Test
  void shouldEndASpareThatCannotWarmUpAndStartAnother() throws Exception {
    start(ReportingWorker.class);
    Path cold = Files.createFile(dir.resolve(ReportingWorker.COLD));
    try (LoadedModel model = load(good());
        ModelExecutor first = model.newExecutor(4)) {
      long spare = awaitSpare();
      assertThat(cold).as("one refused").doesNotExist();
      assertThat(ProcessHandle.current().children().filter(ProcessHandle::isAlive))
          .extracting(ProcessHandle::pid)
          .containsExactlyInAnyOrder(first.processId(), spare);
    }
  }

  @Test
  void shouldTryAgainWhenTheSystemHasNoThreadForASpare() throws Exception {
    workers = new Workers(dir, dir, WorkerMain.class.getName(), Duration.ofMinutes(5), 0);
    CountDownLatch tries = new CountDownLatch(2);
    SpareWorkers.Starter starter =
        (spec, begun) -> {
          tries.countDown();
          throw new OutOfMemoryError("unable to create native thread");
        };
    try (SpareWorkers spares = new SpareWorkers(1, starter);
        WorkerProcess serving =
            workers.start(new WorkerSpec(FaultyBackend.class, LIMITS, 1), "m/1")) {
      spares.serves(serving);
      assertThat(tries.await(2, TimeUnit.MINUTES)).isTrue();
    }
  }

  @Test
  void shouldStartANewWorkerWhenTheSpareIsKilledAsItLoads() throws Exception {
    start(WorkerMain.class);
    try (LoadedModel model = load(good())) {
      model.newExecutor(4).close();
      try (ModelExecutor first = model.newExecutor(4)) {
        long spare = awaitSpare();
        signal("STOP", spare);
        CompletableFuture<ModelExecutor> second =
            CompletableFuture.supplyAsync(() -> model.newExecutor(4));
        awaitTaken();
        signal("KILL", spare);
        try (ModelExecutor executor = second.get(2, TimeUnit.MINUTES)) {
          assertThat(List.of(spare, first.processId())).doesNotContain(executor.processId());
        }
      }
    }
  }

  @Test
  void shouldLeaveTheSpareToThoseWhoWaitAndNotToALoad() throws Exception {
    start(WorkerMain.class);
    Path file = good();
    try (LoadedModel model = load(file);
        ModelExecutor first = model.newExecutor(4)) {
      final long spare = awaitSpare();
      Files.delete(file);
      Files.writeString(file, "bad");
      assertThatThrownBy(() -> load(file)).isInstanceOf(ModelLoadException.class);
      assertThat(awaitSpare()).isEqualTo(spare).isNotEqualTo(first.processId());
    }
  }

  @Test
  void shouldHaveNoneUnlessAskedTo() throws Exception {
    workers = new Workers(dir, dir, WorkerMain.class.getName(), Duration.ofMinutes(5), 0);
    try (LoadedModel model = load(good());
        ModelExecutor first = model.newExecutor(4);
        ModelExecutor second = model.newExecutor(4)) {
      assertThat(first.processId()).isNotEqualTo(second.processId());
      assertThat(workers.spares()).isEqualTo(new Spares(List.of(), 0));
    }
  }

  private void start(Class<?> mainClass) {
    workers = new Workers(dir, dir, mainClass.getName(), Duration.ofMinutes(5), 1);
  }

  private Path good() throws IOException {
    return Files.writeString(dir.resolve("model"), "good");
  }

  private LoadedModel load(Path file) {
    return load(FaultyBackend.class, LIMITS, file);
  }

  private LoadedModel load(Class<? extends Backend> backend, ProcessLimits limits, Path file) {
    return new ProcessBackend(workers, backend, "test", limits).load(file, Runs.options(budget));
  }

  private static void lose(ModelExecutor executor) throws Exception {
    CompletableFuture<String> lost = new CompletableFuture<>();
    executor.whenLost(lost::complete);
    executor.cancel();
    lost.get(1, TimeUnit.MINUTES);
  }

  private long awaitSpare() {
    long startNs = System.nanoTime();
    List<Spares.Spare> ready = workers.spares().ready();
    while (ready.isEmpty()) {
      assertThat(System.nanoTime() - startNs).as("no spare").isLessThan(PATIENCE_NS);
      LockSupport.parkNanos(LOOK_NS); // awake it would take the core that the spare wants
      ready = workers.spares().ready();
    }
    assertThat(ready).hasSize(1);
    return ready.get(0).pid();
  }

  private void awaitTaken() {
    long startNs = System.nanoTime();
    while (workers.spares().taken() == 0) {
      assertThat(System.nanoTime() - startNs).as("not taken").isLessThan(PATIENCE_NS);
      LockSupport.parkNanos(LOOK_NS);
    }
  }

  private static void signal(String name, long pid) throws Exception {
    assertThat(new ProcessBuilder("kill", "-" + name, Long.toString(pid)).start().waitFor())
        .isZero();
  }

  private static ProcessLimits limits(long memoryBytes) {
    return ProcessLimits.of(new ProcessIsolation(memoryBytes, 256, "", Duration.ofMinutes(1)), "");
  }
}
