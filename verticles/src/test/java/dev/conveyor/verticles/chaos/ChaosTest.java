package dev.conveyor.verticles.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The short form of the chaos command: a server in a process of its own, under load, is broken. */
final class ChaosTest {

  private static final Duration MIX = Duration.ofSeconds(6);

  @Test
  @Timeout(value = 10, unit = TimeUnit.MINUTES)
  void shouldLoseNothingThatWasNotAtFault() throws Exception {
    List<FaultResult> told = new ArrayList<>();
    List<Fault> faults =
        Arrays.stream(Fault.values()).filter(fault -> fault != Fault.CLOCK_JUMP).toList();

    ChaosRun.Report report = new ChaosRun(plan(faults, 8, 1)).run(told::add);

    assertThat(told).isEqualTo(report.results());
    assertThat(told).hasSize(faults.size() + 2);
    assertThat(told).flatExtracting(FaultResult::surprises).isEmpty();
    assertThat(told).allMatch(FaultResult::holds);
    assertThat(told).allMatch(result -> result.right() > 0);
    for (int i = 0; i < faults.size(); i++) {
      assertThat(told.get(i).fault()).isEqualTo(faults.get(i).label());
      assertThat(told.get(i).course().detectMs() > 0)
          .as(told.get(i).fault())
          .isEqualTo(faults.get(i).isDecided());
      if (!faults.get(i).losesInstance()) {
        assertThat(told.get(i).refused()).as(told.get(i).fault()).isZero();
      }
    }
    for (FaultResult mix : told.subList(faults.size(), told.size())) {
      assertThat(mix.fault()).startsWith(ChaosRun.MIX);
      assertThat(mix.course().overlapping()).as(mix.fault()).isPositive();
    }
    assertThat(report.exitCode()).isZero();
  }

  @Test
  @Timeout(value = 10, unit = TimeUnit.MINUTES)
  void shouldNotCareWhatTimeItIs(@TempDir Path scratch) throws Exception {
    assumeTrue(FakeClock.in(scratch).isPresent(), "libfaketime is not installed");

    ChaosRun.Report report =
        new ChaosRun(
                new ChaosPlan(
                    List.of(Fault.CLOCK_JUMP),
                    Duration.ofSeconds(4),
                    1,
                    Duration.ZERO,
                    1,
                    ChaosPlan.PATIENCE))
            .run(result -> {});

    assertThat(report.impossible()).isEmpty();
    assertThat(report.results()).singleElement().matches(FaultResult::holds);
    assertThat(report.exitCode()).isZero();
  }

  @Test
  void shouldHaveShorterWindowsTheMoreThereAre() {
    List<Fault> two = List.of(Fault.POISON, Fault.NAN);

    assertThat(plan(two, 16, 1).windowMs()).isEqualTo(3000);
    assertThat(plan(two, 16, 3).windowMs()).isEqualTo(1000);
    assertThat(plan(two, 16, 100).windowMs()).isEqualTo(200);
  }

  private static ChaosPlan plan(List<Fault> faults, int seconds, int rounds) {
    return new ChaosPlan(faults, Duration.ofSeconds(seconds), rounds, MIX, 1, ChaosPlan.PATIENCE);
  }
}
