package dev.conveyor.verticles.bench.suite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import dev.conveyor.verticles.bench.load.CpuClock;
import java.time.Duration;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;

class SettlingTest {

  private static final Duration WINDOW = Duration.ofSeconds(5);

  private double compilers;
  private int windows;

  @Test
  void shouldEndWithTheFirstQuietWindow() throws Exception {
    double[] used = {4, 1, 0.11, 0.1, 0};
    Settling settling = Settling.await(length -> compilers += used[windows++], this::clock, WINDOW);

    assertThat(windows).isEqualTo(4);
    assertThat(settling.warmup()).isEqualTo(Duration.ofSeconds(20));
    assertThat(settling.share()).isCloseTo(0.02, offset(1e-9));
  }

  @Test
  void shouldGiveUpOnAServerThatCompilesForEver() throws Exception {
    Settling settling =
        Settling.await(
            length -> {
              windows++;
              compilers += 1;
            },
            this::clock,
            WINDOW);

    assertThat(windows).isEqualTo(18);
    assertThat(settling.how()).contains("90 s").contains("20.0 %");
  }

  @Test
  void shouldNotMeasureWhatItCannotRead() {
    assertThatThrownBy(() -> Settling.await(length -> {}, CpuClock.UNKNOWN, WINDOW))
        .isInstanceOf(CannotMeasureException.class);
  }

  private OptionalDouble clock() {
    return OptionalDouble.of(compilers);
  }
}
