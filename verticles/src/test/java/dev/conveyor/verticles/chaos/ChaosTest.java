package dev.conveyor.verticles.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The short form of the chaos command: a server in a process of its own, under load, is broken. */
final class ChaosTest {

  @Test
  @Timeout(value = 5, unit = TimeUnit.MINUTES)
  void shouldLoseNothingThatWasNotAtFault() throws Exception {
    List<FaultResult> told = new ArrayList<>();
    List<Fault> faults =
        List.of(
            Fault.POISON,
            Fault.SHAPE,
            Fault.NAN,
            Fault.SICKNESS,
            Fault.HANG,
            Fault.OUT_OF_MEMORY,
            Fault.SIGKILL,
            Fault.SIGSEGV,
            Fault.SIGSTOP,
            Fault.GARBAGE,
            Fault.FILE_DELETED,
            Fault.DISCONNECTS);

    ChaosRun.Report report =
        new ChaosRun(faults, Duration.ofSeconds(10), 1, ChaosRun.PATIENCE).run(told::add);

    assertThat(told).isEqualTo(report.results()).hasSizeGreaterThanOrEqualTo(faults.size());
    assertThat(report.results()).flatExtracting(FaultResult::surprises).isEmpty();
    assertThat(report.results()).allMatch(FaultResult::holds);
    assertThat(report.results()).allMatch(result -> result.right() > 0);
    for (FaultResult result : report.results().subList(0, 10)) {
      assertThat(result.detectMs()).as(result.fault()).isPositive().isFinite();
    }
    assertThat(report.exitCode()).isZero();
  }
}
