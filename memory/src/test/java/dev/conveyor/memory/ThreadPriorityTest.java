package dev.conveyor.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

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
}
