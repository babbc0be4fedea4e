package dev.conveyor.memory;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class ThreadPriorityTest {

  @Test
  void shouldLowerTheWorkAndNothingElse() {
    assumeTrue(ThreadPriority.canRaise(), "needs the permission to raise a priority");
    assertThat(ThreadPriority.lowered(false, ThreadPriority::current)).isEqualTo(19);
    assertThat(ThreadPriority.current()).isZero();
  }

  @Test
  void shouldLowerAThreadForGood() throws Exception {
    assumeTrue(Files.isDirectory(Path.of("/proc/self/task")), "threads have priorities on Linux");
    int own = ThreadPriority.current();
    ExecutorService pool = Executors.newSingleThreadExecutor();
    pool.submit(ThreadPriority::lowerThisThread).get(60, TimeUnit.SECONDS);
    pool.submit(ThreadPriority::lowerThisThread).get(60, TimeUnit.SECONDS);
    assertThat(pool.submit(ThreadPriority::current).get(60, TimeUnit.SECONDS)).isEqualTo(19);
    assertThat(ThreadPriority.current()).isEqualTo(own);
    pool.shutdown();
  }

  @Test
  void shouldSetBackThreadsThatTheWorkLeavesBehind() throws Exception {
    assumeTrue(ThreadPriority.canRaise(), "needs the permission to raise a priority");
    ExecutorService left =
        ThreadPriority.lowered(
            true,
            () -> {
              ExecutorService pool = Executors.newSingleThreadExecutor();
              int inherited = CompletableFuture.supplyAsync(ThreadPriority::current, pool).join();
              assertThat(inherited).isEqualTo(19);
              return pool;
            });
    assertThat(left.submit(ThreadPriority::current).get(60, TimeUnit.SECONDS)).isZero();
    left.shutdown();
  }

  @Test
  void shouldHaveAProcessRunOnIdleCoresUntilItIsWoken() throws Exception {
    assumeTrue(ThreadPriority.canRaise(), "needs the permission to raise a priority");
    Process process = new ProcessBuilder("sleep", "600").start();
    try {
      assertThat(ThreadPriority.isIdle(process.pid())).isFalse();
      ThreadPriority.idle(process.pid());
      assertThat(ThreadPriority.isIdle(process.pid())).isTrue();
      ThreadPriority.wake(process.pid());
      assertThat(ThreadPriority.isIdle(process.pid())).isFalse();
    } finally {
      process.destroyForcibly();
    }
  }

  @Test
  void shouldSetBackAfterAFailure() {
    assertThatThrownBy(
            () ->
                ThreadPriority.lowered(
                    false,
                    () -> {
                      throw new IllegalStateException("fails");
                    }))
        .hasMessage("fails");
    assumeTrue(ThreadPriority.canRaise(), "needs the permission to raise a priority");
    assertThat(ThreadPriority.current()).isZero();
  }

  @Test
  void shouldSetBackEveryThreadOfAnotherProcess() throws Exception {
    assumeTrue(ThreadPriority.canRaise(), "needs the permission to raise a priority");
    Process process = new ProcessBuilder("nice", "-n", "10", "cat").start();
    try {
      process.outputWriter(UTF_8).append("here\n").flush();
      assertThat(process.inputReader(UTF_8).readLine()).as("it is cat by now").isEqualTo("here");
      assertThat(niceness(process)).isEqualTo(10);
      ThreadPriority.restore(process.pid(), 9);
      assertThat(niceness(process)).as("of another niceness").isEqualTo(10);
      ThreadPriority.restore(process.pid(), 10);
      assertThat(niceness(process)).isZero();
    } finally {
      process.destroyForcibly().waitFor();
    }
  }

  private static int niceness(Process process) throws IOException {
    String stat = Files.readString(Path.of("/proc", Long.toString(process.pid()), "stat"));
    return Integer.parseInt(stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[16]);
  }
}
