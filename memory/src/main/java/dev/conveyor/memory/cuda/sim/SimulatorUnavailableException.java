package dev.conveyor.memory.cuda.sim;

/** The simulated device cannot be had here; the message says why. */
public final class SimulatorUnavailableException extends RuntimeException {

  SimulatorUnavailableException(String message) {
    super(message);
  }
}
