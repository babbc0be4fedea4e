package dev.conveyor.verticles.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.InferenceException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GrpcTimeoutTest {

  @Test
  void shouldReadEveryUnitToTheNanosecond() {
    assertThat(GrpcTimeout.parseNs("0n")).isZero();
    assertThat(GrpcTimeout.parseNs("1n")).isEqualTo(1);
    assertThat(GrpcTimeout.parseNs("250u")).isEqualTo(250_000);
    assertThat(GrpcTimeout.parseNs("12345678m")).isEqualTo(12_345_678_000_000L);
    assertThat(GrpcTimeout.parseNs("2S")).isEqualTo(2_000_000_000L);
    assertThat(GrpcTimeout.parseNs("3M")).isEqualTo(TimeUnit.MINUTES.toNanos(3));
    assertThat(GrpcTimeout.parseNs("4H")).isEqualTo(TimeUnit.HOURS.toNanos(4));
    assertThat(GrpcTimeout.parseNs("99999999H")).as("saturates").isEqualTo(Long.MAX_VALUE);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "S", "1", "1s", "-1S", "123456789n", "1 S", "١S"})
  void shouldRefuseWhatIsMalformed(String header) {
    assertThatThrownBy(() -> GrpcTimeout.parseNs(header))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("'" + header + "'");
  }
}
