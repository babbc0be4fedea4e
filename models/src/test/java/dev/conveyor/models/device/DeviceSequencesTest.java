package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.models.device.sim.DeviceSequences;
import org.junit.jupiter.api.Test;

/** A few of the sequences that {@code scripts/bench --suite gpu} runs by the thousand. */
class DeviceSequencesTest {

  @Test
  void shouldLoseNothingWhateverHappens() {
    CudaSimulator simulator = Simulators.start("");
    DeviceSequences.Outcome outcome = DeviceSequences.run(simulator, 1, 300);

    assertThat(outcome.problems()).isEmpty();
    assertThat(outcome.answered()).isGreaterThan(1000);
    assertThat(outcome.failed()).isGreaterThan(100);
    assertThat(outcome.handedOn()).isGreaterThan(100);
    assertThat(outcome.refusedLoads()).isGreaterThan(50);
    assertThat(outcome.lostDevices()).isGreaterThan(50);
  }
}
