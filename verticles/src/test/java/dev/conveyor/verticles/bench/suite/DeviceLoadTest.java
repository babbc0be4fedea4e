package dev.conveyor.verticles.bench.suite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.device.Simulators;
import dev.conveyor.models.device.sim.SimulatedModel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The load that the figures of the simulated device are measured with, in virtual time. */
final class DeviceLoadTest {

  private static final int ITEMS = 8;
  private static final int SLOTS = 3;
  private static final int BATCHES = 10;
  private static final SimulatedModel MODEL = new SimulatedModel(16, 4, ITEMS, SLOTS, 1000);

  private CudaSimulator simulator;

  @BeforeEach
  void begin() {
    simulator = Simulators.start("");
  }

  /** Other tests of this process find a machine without a GPU again. */
  @AfterEach
  void end() {
    if (simulator != null) {
      simulator.reset("devices=0");
    }
  }

  @Test
  void shouldRunFullBatchesBehindOneAnotherAndFinishThemWhenItIsClosed() {
    try (DeviceLoad load = new DeviceLoad(simulator, MODEL)) {
      for (int i = 0; i < BATCHES; i++) {
        load.runOne();
      }
    }
    assertThat(simulator.figure(0, Figure.KERNELS)).isEqualTo(BATCHES);
    assertThat(simulator.figure(0, Figure.TO_DEVICE_BYTES))
        .isEqualTo(1L * BATCHES * ITEMS * 16 * Integer.BYTES);
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }
}
