package dev.conveyor.verticles.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

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
        new ChaosRun(new ChaosPlan(faults, Duration.ofSeconds(10))).run(told::add);

    assertThat(told).isEqualTo(report.results()).hasSizeGreaterThanOrEqualTo(faults.size());
    assertThat(report.results()).flatExtracting(FaultResult::surprises).isEmpty();
    assertThat(report.results()).allMatch(FaultResult::holds);
    assertThat(report.results()).allMatch(result -> result.right() > 0);
    for (FaultResult result : report.results().subList(0, 10)) {
      assertThat(result.detectMs()).as(result.fault()).isPositive().isFinite();
    }
    assertThat(report.exitCode()).isZero();
  }

  @Test
  @Timeout(value = 5, unit = TimeUnit.MINUTES)
  void shouldNotCareWhatTimeItIs(@TempDir Path scratch) throws Exception {
    assumeTrue(FakeClock.in(scratch).isPresent(), "libfaketime is not installed");

    ChaosRun.Report report =
        new ChaosRun(new ChaosPlan(List.of(Fault.CLOCK_JUMP), Duration.ofSeconds(10)))
            .run(result -> {});

    assertThat(report.impossible()).isEmpty();
    assertThat(report.results()).singleElement().matches(FaultResult::holds);
    assertThat(report.exitCode()).isZero();
  }

  @Test
  void shouldHaveShorterWindowsTheMoreThereAre() {
    List<Fault> two = List.of(Fault.POISON, Fault.NAN);

    assertThat(new ChaosPlan(two, Duration.ofSeconds(12)).windowMs()).isEqualTo(1000);
    assertThat(plan(two, 12, 3).windowMs()).isEqualTo(500);
    assertThat(plan(two, 3600, 3).windowMs()).isEqualTo(3000);
  }

  private static ChaosPlan plan(List<Fault> faults, int seconds, int rounds) {
    return new ChaosPlan(faults, Duration.ofSeconds(seconds), rounds, 1, ChaosPlan.PATIENCE);
  }
}
