package dev.conveyor.verticles.bench.suite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.SimulatorUnavailableException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** Rows that a GPU fills, each from a run of gpu-check in a process. */
final class GpuChecksTest {

  private static Lab lab() throws IOException {
    return Lab.open(null, Duration.ZERO, Duration.ZERO);
  }

  @Test
  void shouldTakeTheNumbersOfACheckAndSayHowTheyCame() throws Exception {
    try {
      CudaSimulator.start().reset("devices=0");
    } catch (SimulatorUnavailableException e) {
      Assumptions.abort(e.getMessage());
    }
    try (Lab lab = lab()) {
      GpuChecks checks = new GpuChecks(lab, List.of("--simulated"));

      Measured bytes = checks.number("environment", "total_bytes", 2);
      Measured capability = checks.number("environment", "compute_capability", 1);

      assertThat(bytes.value()).isEqualTo(2.0 * 2147483648L);
      assertThat(bytes.how()).contains("Simulated GPU");
      assertThat(capability.value()).isEqualTo(9);
      assertThatThrownBy(() -> checks.number("environment", "unheard_of", 1))
          .isInstanceOf(CannotMeasureException.class)
          .hasMessageContaining("gpu-check environment, passed");
    }
  }

  @Test
  void shouldSayThatTheCheckNamedIsNotThere() throws Exception {
    try (Lab lab = lab()) {
      GpuChecks checks = new GpuChecks(lab, List.of("--simulated"));

      assertThatThrownBy(() -> checks.number("no-such", "share_of_bare", 1))
          .isInstanceOf(CannotMeasureException.class)
          .hasMessageContaining("there is no check 'no-such'");
    }
  }

  @Test
  void shouldFillARowOfTheSuiteFromTheCheckThatItNames() throws Exception {
    try (Lab lab = lab()) {
      GpuSuite suite = new GpuSuite(lab, new GpuChecks(lab, List.of("--device", "99")));
      List<SuiteRow> hardware =
          suite.rows().stream().filter(row -> row.figure().startsWith("GPU")).toList();

      assertThat(hardware)
          .extracting(SuiteRow::figure)
          .hasSize(7)
          .contains(
              "GPU, the same: FP16 / FP32 throughput of the engine",
              "GPU, the same: INT8 / FP32 throughput of the engine");
      for (SuiteRow row : hardware) {
        assertThatThrownBy(() -> row.measure().call())
            .isInstanceOf(CannotMeasureException.class)
            .hasMessageContaining("no GPU to check: ");
      }
    }
  }
}
