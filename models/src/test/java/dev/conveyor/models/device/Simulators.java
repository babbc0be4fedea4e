package dev.conveyor.models.device;

import static org.junit.jupiter.api.Assumptions.abort;

import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.SimulatorUnavailableException;

/** Starts the simulated device, or skips the test where there is no C compiler. */
public final class Simulators {

  private Simulators() {}

  public static CudaSimulator start(String settings) {
    try {
      CudaSimulator simulator = CudaSimulator.start();
      simulator.reset(settings);
      simulator.cuda().useDevice(0);
      return simulator;
    } catch (SimulatorUnavailableException e) {
      return abort(e.getMessage());
    }
  }
}
