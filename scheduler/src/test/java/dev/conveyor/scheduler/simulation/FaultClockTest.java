package dev.conveyor.scheduler.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.simulation.Scenario.Fault;
import java.util.List;
import org.junit.jupiter.api.Test;

final class FaultClockTest {

  @Test
  void shouldEndOneFaultBeforeTheNextOfTheSameTimeBegins() {
    Fault first = new Fault(Fault.Kind.SLOW_DOWN, 10, 5, 0, 2);
    Fault second = new Fault(Fault.Kind.SLOW_DOWN, 15, 5, 0, 3);
    FaultClock clock = new FaultClock(List.of(second, first));

    assertThat(clock.take()).isEqualTo(new FaultClock.Moment(first, 10, false));
    assertThat(clock.take()).isEqualTo(new FaultClock.Moment(first, 15, true));
    assertThat(clock.take()).isEqualTo(new FaultClock.Moment(second, 15, false));
    assertThat(clock.take()).isEqualTo(new FaultClock.Moment(second, 20, true));
    assertThat(clock.nextNs()).isEqualTo(Policy.NEVER);
  }
}
