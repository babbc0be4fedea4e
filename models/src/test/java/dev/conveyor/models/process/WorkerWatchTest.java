package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ProcessIsolation;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

final class WorkerWatchTest {

  private static final long LIMIT_BYTES = 256L << 20;

  private final WorkerWatch watch =
      new WorkerWatch(
          ProcessLimits.of(
              new ProcessIsolation(LIMIT_BYTES, 0, "", Duration.ofSeconds(1)), List.of()),
          100,
          4711);

  @Test
  void shouldBearSilenceUpToTheTimeoutAndNotLonger() {
    assertThat(watch.look(7, 0)).isNull();
    for (int i = 1; i < 10; i++) {
      assertThat(watch.look(7, 0)).as("%d ms", i * 100).isNull();
    }
    Loss loss = watch.look(7, 0);
    assertThat(loss.cause()).isEqualTo(Loss.Cause.NO_HEARTBEAT);
    assertThat(loss.detail()).contains("4711").contains("1000 ms");
  }

  @Test
  void shouldForgetSilenceWithEverySignOfLife() {
    for (int i = 0; i < 100; i++) {
      assertThat(watch.look(i / 9, 0)).isNull();
    }
  }

  @Test
  void shouldGiveAProcessThatStartsLonger() {
    for (int i = 1; i < 600; i++) {
      assertThat(watch.look(0, 0)).isNull();
    }
    assertThat(watch.look(0, 0).cause()).isEqualTo(Loss.Cause.NO_HEARTBEAT);
  }

  @Test
  void shouldBearMemoryUpToTheLimitAndNotMore() {
    assertThat(watch.look(1, LIMIT_BYTES)).isNull();
    assertThat(watch.look(2, LIMIT_BYTES + 1).cause()).isEqualTo(Loss.Cause.OVER_MEMORY);
  }
}
