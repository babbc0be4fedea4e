package dev.conveyor.models.process;

import static dev.conveyor.models.process.Runs.floats;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ProcessIsolation;
import dev.conveyor.models.process.worker.WorkerMain;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real processes that come to harm. */
final class WorkerFaultTest {

  /** With a sign of life within a minute: a machine that is slow is no reason to lose a worker. */
  private static final ProcessLimits LIMITS = limits(Duration.ofMinutes(1));

  private static final Duration LIMIT = Duration.ofMinutes(5);

  @TempDir private Path dir;

  private final MemoryBudget budget = new MemoryBudget("CPU", 256L << 20);
  private Workers workers;
  private ProcessBackend backend;
  private Path file;

  @BeforeEach
  void start() throws IOException {
    workers = new Workers(dir, WorkerMain.class.getName(), Duration.ofMinutes(5));
    backend = new ProcessBackend(workers, FaultyBackend.class, "faulty", LIMITS);
    file = Files.writeString(dir.resolve("model"), "good");
  }

  @AfterEach
  void stop() {
    workers.close();
    assertThat(budget.reservedBytes()).as("everything is returned").isZero();
  }

  @Test
  void shouldGiveUpALoadThatDoesNotEnd() throws IOException {
    Files.writeString(file, "hang");
    try (Workers impatient = new Workers(dir, WorkerMain.class.getName(), Duration.ofMillis(500))) {
      ProcessBackend hanging = new ProcessBackend(impatient, FaultyBackend.class, "faulty", LIMITS);
      assertThatThrownBy(() -> hanging.load(file, new LoadOptions("m/1", 1, budget, Map.of())))
          .isInstanceOf(ModelLoadException.class)
          .hasMessageContaining("did not load its model within 500 ms");
    }
    assertThat(ProcessHandle.current().children()).isEmpty();
  }

  @Test
  void shouldLeaveNothingOfAWorkerThatDoesNotStart() throws IOException {
    try (Workers broken = new Workers(dir, "no.such.Main", Duration.ofMinutes(1))) {
      ProcessBackend backend = new ProcessBackend(broken, FaultyBackend.class, "faulty", LIMITS);
      assertThatThrownBy(() -> backend.load(file, new LoadOptions("m/1", 1, budget, Map.of())))
          .isInstanceOf(ModelLoadException.class)
          .hasMessageContaining("no.such.Main");
      try (var left = Files.list(broken.directory().path())) {
        assertThat(left.map(path -> path.getFileName().toString())).containsExactly("lock");
      }
    }
  }

  @Test
  void shouldFailTheBatchAloneWhenTheBackendRefusesIt() {
    try (LoadedModel model = load();
        ModelExecutor executor = model.newExecutor(4)) {
      assertThatThrownBy(() -> run(executor, FaultyBackend.THROW))
          .isInstanceOfSatisfying(
              ExecutionException.class, e -> assertThat(e.kind()).isEqualTo(Kind.RUN))
          .hasMessage("not these inputs");
      assertThat(run(executor, 5)).containsExactly(5);
    }
  }

  @Test
  void shouldFailTheBatchAloneWhenTheBackendThrowsAnError() {
    try (LoadedModel model = load();
        ModelExecutor executor = model.newExecutor(4)) {
      assertThatThrownBy(() -> run(executor, FaultyBackend.DEEP_RECURSION))
          .isInstanceOfSatisfying(
              ExecutionException.class, e -> assertThat(e.kind()).isEqualTo(Kind.RUN))
          .hasMessage("java.lang.StackOverflowError");
      assertThat(run(executor, 5)).containsExactly(5);
    }
  }

  @Test
  void shouldMakeRoomWhenOutputsAreLargerThanForeseen() {
    try (LoadedModel model = load();
        ModelExecutor executor = model.newExecutor(4)) {
      float[] wide = new float[8192];
      wide[0] = FaultyBackend.SWELL;
      float[] swollen = floats(executor.execute(List.of(floats("in", 1, wide))), 0);
      assertThat(swollen).hasSize(8192 * 64);
      assertThat(swollen[swollen.length - 1]).isEqualTo(FaultyBackend.SWELL);
      assertThat(run(executor, 5)).containsExactly(5);
    }
  }

  @Test
  void shouldSurviveACrashInNativeCodeAndServeAgainWithANewExecutor() throws Exception {
    try (LoadedModel model = load()) {
      CompletableFuture<String> lost = new CompletableFuture<>();
      try (ModelExecutor executor = model.newExecutor(4)) {
        executor.whenLost(lost::complete);
        assertThatThrownBy(() -> run(executor, FaultyBackend.CRASH))
            .isInstanceOfSatisfying(ExecutionException.class, WorkerFaultTest::isLost)
            .hasMessageContaining("SIGSEGV");
        assertThatThrownBy(() -> run(executor, 5))
            .as("it stays lost")
            .isInstanceOfSatisfying(ExecutionException.class, WorkerFaultTest::isLost);
        assertThat(executor.lossCause()).isEqualTo("signalled");
      }
      assertThat(lost.get(60, TimeUnit.SECONDS)).contains("SIGSEGV");
      try (ModelExecutor executor = model.newExecutor(4)) {
        assertThat(run(executor, 5)).containsExactly(5);
      }
    }
  }

  @Test
  void shouldTellThatAWorkerIsLostWhenItIsKilledAndNotWhenItIsGone() {
    try (LoadedModel model = load();
        ModelExecutor executor = model.newExecutor(4)) {
      CompletableFuture<String> lost = new CompletableFuture<>();
      executor.whenLost(lost::complete);
      executor.cancel();
      assertThat(lost).isCompletedWithValueMatching(why -> why.contains("was told to stop"));
    }
  }

  @Test
  void shouldSayWhichSignalEndedAWorkerThatHasNothingToDoAndOneThatRuns() throws Exception {
    for (boolean busy : new boolean[] {false, true}) {
      try (LoadedModel model = load();
          ModelExecutor executor = model.newExecutor(4)) {
        CompletableFuture<String> lost = new CompletableFuture<>();
        executor.whenLost(lost::complete);
        ProcessHandle worker = onlyChild();
        if (busy) {
          Thread killer = new Thread(worker::destroyForcibly);
          assertThatThrownBy(
                  () -> {
                    killer.start();
                    run(executor, FaultyBackend.HANG);
                  })
              .isInstanceOfSatisfying(ExecutionException.class, WorkerFaultTest::isLost)
              .hasMessageContaining("was ended by SIGKILL");
        } else {
          assertThat(worker.destroyForcibly()).isTrue();
        }
        assertThat(lost.get(60, TimeUnit.SECONDS)).contains("was ended by SIGKILL");
        assertThat(executor.lossCause()).isEqualTo("signalled");
        worker.onExit().get(60, TimeUnit.SECONDS);
      }
    }
  }

  @Test
  void shouldAnswerWhileItWaitsAwake() {
    try (LoadedModel model = load();
        ModelExecutor executor = model.newExecutor(4)) {
      executor.stayAwake(true);
      for (float i = 20; i < 40; i++) {
        assertThat(run(executor, i)).containsExactly(i);
      }
      executor.stayAwake(false);
      assertThat(run(executor, 5)).containsExactly(5);
    }
  }

  @Test
  void shouldSayWithWhatCodeAWorkerExited() {
    try (LoadedModel model = load();
        ModelExecutor executor = model.newExecutor(4)) {
      assertThatThrownBy(() -> run(executor, FaultyBackend.EXIT))
          .isInstanceOfSatisfying(ExecutionException.class, WorkerFaultTest::isLost)
          .hasMessageContaining("exited with " + FaultyBackend.EXIT_CODE)
          .hasMessageContaining("so long");
    }
  }

  @Test
  void shouldEndARunThatIsCancelled() {
    try (LoadedModel model = load();
        ModelExecutor executor = model.newExecutor(4)) {
      Thread canceller = new Thread(executor::cancel);
      assertThatThrownBy(
              () -> {
                canceller.start();
                run(executor, FaultyBackend.HANG);
              })
          .isInstanceOfSatisfying(ExecutionException.class, WorkerFaultTest::isLost)
          .hasMessageContaining("told to stop");
    }
  }

  @Test
  void shouldReplaceAWorkerThatWasStopped() throws Exception {
    ProcessLimits watched = limits(Duration.ofSeconds(1));
    ProcessBackend strict = new ProcessBackend(workers, FaultyBackend.class, "faulty", watched);
    try (LoadedModel model = strict.load(file, Runs.options(budget));
        ModelExecutor executor = model.newExecutor(4)) {
      CompletableFuture<String> lost = new CompletableFuture<>();
      executor.whenLost(lost::complete);
      ProcessHandle worker = onlyChild();
      stop(worker);
      assertThatThrownBy(() -> run(executor, 5))
          .isInstanceOfSatisfying(ExecutionException.class, WorkerFaultTest::isLost)
          .hasMessageContaining("no sign of life");
      assertThat(lost.get(60, TimeUnit.SECONDS)).contains("no sign of life");
      worker.onExit().get(60, TimeUnit.SECONDS);
    }
  }

  @Test
  void shouldKeepAWorkerThatEatsMemoryWithinItsLimit() {
    try (LoadedModel model = load();
        ModelExecutor executor = model.newExecutor(4)) {
      assertThatThrownBy(() -> run(executor, FaultyBackend.EAT_MEMORY))
          .isInstanceOfSatisfying(
              ExecutionException.class, e -> assertThat(e.kind()).isEqualTo(Kind.OUT_OF_MEMORY))
          .hasMessageMatching("malloc failed after \\d\\d");
    }
  }

  @Test
  void shouldKillAWorkerThatHoldsMoreSharedMemoryThanItMay() {
    try (LoadedModel model = load();
        ModelExecutor executor = model.newExecutor(4)) {
      assertThatThrownBy(() -> run(executor, FaultyBackend.EAT_SHARED_MEMORY))
          .isInstanceOfSatisfying(ExecutionException.class, WorkerFaultTest::isLost)
          .hasMessageMatching(".* holds \\d+ bytes of memory, allowed are 536870912");
      assertThat(executor.lossCause()).isEqualTo("over_memory");
    }
  }

  @Test
  void shouldRefuseToLoadWhatCrashesAndSayWhy() throws IOException {
    Files.writeString(file, "crash");
    assertThatThrownBy(this::load)
        .isInstanceOf(ModelLoadException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContaining("SIGSEGV");
    assertThatThrownBy(() -> verify(LIMIT, model -> {}))
        .isInstanceOf(ModelLoadException.class)
        .hasMessageContaining("tried in a process of its own")
        .hasMessageContaining("SIGSEGV");
    Files.writeString(file, "bad");
    assertThatThrownBy(this::load)
        .isInstanceOf(ModelLoadException.class)
        .hasMessageEndingWith("this model is bad");
  }

  @Test
  void shouldKillWhatTakesTooLongToTry() {
    assertThatThrownBy(
            () ->
                verify(
                    Duration.ofMillis(300),
                    model -> {
                      try (ModelExecutor executor = model.newExecutor(4)) {
                        run(executor, FaultyBackend.HANG);
                      }
                    }))
        .as("while it runs, or before that where the machine is slow")
        .isInstanceOfAny(ExecutionException.class, ModelLoadException.class)
        .hasMessageContaining("did not run one batch within 300 ms");
    assertThat(ProcessHandle.current().children()).isEmpty();
  }

  @Test
  void shouldTryAModelInNoOtherProcessWhenTheFirstOneDiedOnceItHadLoadedIt() {
    assertThatThrownBy(
            () ->
                verify(
                    LIMIT,
                    model -> {
                      ProcessHandle first = onlyChild();
                      first.destroyForcibly();
                      first.onExit().join();
                      model.newExecutor(4).close();
                    }))
        .isInstanceOf(ModelLoadException.class)
        .hasMessageContaining("was ended by SIGKILL");
    assertThat(ProcessHandle.current().children()).isEmpty();
  }

  @Test
  void shouldThrowAwayTheProcessInWhichAModelWasTried() {
    float[] tried = new float[1];
    verify(
        LIMIT,
        model -> {
          try (ModelExecutor executor = model.newExecutor(4)) {
            tried[0] = run(executor, 5)[0];
          }
        });
    assertThat(tried).containsExactly(5);
    assertThat(ProcessHandle.current().children()).isEmpty();
  }

  @Test
  void shouldNotServeAFileThatWasWrittenOverInPlace() throws IOException {
    try (LoadedModel model = load()) {
      model.newExecutor(4).close();
      Files.writeString(file, "another");
      assertThatThrownBy(() -> model.newExecutor(4))
          .isInstanceOf(ModelLoadException.class)
          .hasMessageContaining("the file changed since the model was loaded or tried");
    }
  }

  @Test
  void shouldServeTheFileThatWasLoadedAfterAnotherTookItsNameAndAfterItWasDeleted()
      throws IOException {
    try (LoadedModel model = load()) {
      model.newExecutor(4).close();
      Path other = Files.writeString(dir.resolve("other"), "bad");
      Files.move(other, file, StandardCopyOption.REPLACE_EXISTING);
      try (ModelExecutor executor = model.newExecutor(4)) {
        assertThat(run(executor, 5)).containsExactly(5);
      }
      Files.delete(file);
      try (ModelExecutor executor = model.newExecutor(4)) {
        assertThat(run(executor, 6)).containsExactly(6);
      }
      Files.writeString(file, "bad");
      assertThatThrownBy(this::load)
          .as("a load reads the repository")
          .hasMessageEndingWith("this model is bad");
    }
  }

  private void verify(Duration limit, Consumer<LoadedModel> trial) {
    backend.verify(file, Runs.options(budget), limit, trial);
  }

  private static ProcessLimits limits(Duration heartbeatTimeout) {
    return ProcessLimits.of(new ProcessIsolation(512L << 20, 256, "", heartbeatTimeout), "");
  }

  private LoadedModel load() {
    return backend.load(file, Runs.options(budget));
  }

  private static float[] run(ModelExecutor executor, float value) {
    return floats(executor.execute(List.of(floats("in", 1, value))), 0);
  }

  private static void isLost(ExecutionException e) {
    assertThat(e.kind()).isEqualTo(Kind.INSTANCE_LOST);
  }

  /** Stops a process, and waits until none of its threads runs: the signal only asks for it. */
  private static void stop(ProcessHandle process) throws Exception {
    String untilStopped =
        "kill -STOP $0;"
            + " while [ -n \"$(grep -L '^State:.T' /proc/$0/task/*/status)\" ]; do :; done";
    assertThat(new ProcessBuilder("sh", "-c", untilStopped, "" + process.pid()).start().waitFor())
        .isZero();
  }

  private static ProcessHandle onlyChild() {
    List<ProcessHandle> children =
        ProcessHandle.current()
            .children()
            .filter(child -> child.info().command().orElse("").endsWith("java"))
            .toList();
    assertThat(children).hasSize(1);
    return children.get(0);
  }
}
