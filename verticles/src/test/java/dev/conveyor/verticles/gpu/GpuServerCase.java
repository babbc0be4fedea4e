package dev.conveyor.verticles.gpu;

import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.verticles.server.TestModels;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Tests of servers on simulated GPUs, each with an empty repository and a machine of its own. */
public abstract class GpuServerCase {

  protected TestModels models;
  protected SimulatedGpus gpus;
  protected CudaSimulator simulator;

  private final int devices;
  private final String settings;

  /** Each test has so many of 64 MiB each. */
  protected GpuServerCase(int devices) {
    this(devices, "device_bytes=67108864");
  }

  /**
   * Each test has so many.
   *
   * @param settings as {@link CudaSimulator#reset} takes them, besides the number of devices
   */
  protected GpuServerCase(int devices, String settings) {
    this.devices = devices;
    this.settings = settings;
  }

  @BeforeEach
  void startGpus(@TempDir Path root) {
    gpus = SimulatedGpus.start(devices, settings);
    simulator = gpus.simulator();
    models = new TestModels(root);
  }

  @AfterEach
  void closeGpus() {
    if (gpus != null) {
      gpus.close();
    }
  }
}
