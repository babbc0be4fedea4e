package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ProcessIsolation;
import java.time.Duration;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;

final class WorkerWatchTest {

  private static final long LIMIT_BYTES = 256L << 20;

  private final WorkerWatch watch =
      new WorkerWatch(
          ProcessLimits.of(new ProcessIsolation(LIMIT_BYTES, 0, "", Duration.ofSeconds(1)), ""),
          100,
          4711,
          2000);

  @Test
  void shouldBearSilenceUpToTheTimeoutAndNotLonger() {
    assertThat(watch.look(7, () -> 0, 0)).isNull();
    for (int i = 1; i < 10; i++) {
      assertThat(watch.look(7, () -> 0, 0)).as("%d ms", i * 100).isNull();
    }
    Loss loss = watch.look(7, () -> 0, 0);
    assertThat(loss.cause()).isEqualTo(Loss.Cause.NO_HEARTBEAT);
    assertThat(loss.detail()).contains("4711").contains("1000 ms");
  }

  @Test
  void shouldForgetSilenceWithEverySignOfLife() {
    for (int i = 0; i < 100; i++) {
      assertThat(watch.look(i / 9, () -> 0, 0)).isNull();
    }
  }

  @Test
  void shouldGiveAProcessThatStartsLonger() {
    for (int i = 1; i < 600; i++) {
      assertThat(watch.look(0, () -> 0, 0)).isNull();
    }
    assertThat(watch.look(0, () -> 0, 0).cause()).isEqualTo(Loss.Cause.NO_HEARTBEAT);
  }

  @Test
  void shouldBearMemoryUpToTheLimitAndNotMore() {
    assertThat(watch.look(1, () -> LIMIT_BYTES, 0)).isNull();
    assertThat(watch.look(2, () -> LIMIT_BYTES + 1, 0).cause()).isEqualTo(Loss.Cause.OVER_MEMORY);
  }

  @Test
  void shouldNotAskForMemoryThatHasNoLimit() {
    WorkerWatch without = new WorkerWatch(ProcessLimits.NONE, 100, 4711, 2000);
    LongSupplier expensive =
        () -> {
          throw new AssertionError("asked");
        };

    assertThat(without.look(1, expensive, 0)).isNull();
  }

  @Test
  void shouldBearEveryStepOfALoadUpToTheLimitAndNotLonger() {
    for (int step = 1; step <= 2; step++) {
      for (int i = 0; i < 20; i++) {
        assertThat(watch.look(100 * step + i, () -> 0, step))
            .as("step %d, %d ms", step, i * 100)
            .isNull();
      }
    }
    for (int i = 0; i < 100; i++) {
      assertThat(watch.look(300 + i, () -> 0, 0)).as("serves").isNull();
    }
    for (int i = 0; i < 20; i++) {
      assertThat(watch.look(400 + i, () -> 0, 3)).isNull();
    }
    Loss loss = watch.look(500, () -> 0, 3);
    assertThat(loss.cause()).isEqualTo(Loss.Cause.LOAD_TIMEOUT);
    assertThat(loss.detail()).contains("4711").contains("2000 ms").contains("load_timeout_ms");
  }
}
