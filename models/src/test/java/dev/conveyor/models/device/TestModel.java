package dev.conveyor.models.device;

import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.sim.SimulatedModel;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;

/** A backend and the one model that it has, which has no weights. */
class TestModel implements GpuBackend, DeviceModel {

  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private final Function<EngineSite, DeviceEngine> engines;

  TestModel(
      List<TensorSpec> inputs,
      List<TensorSpec> outputs,
      Function<EngineSite, DeviceEngine> engines) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.engines = engines;
  }

  /** A model that computes the test kernel. */
  TestModel(SimulatedModel model) {
    this(model.layout().inputs(), model.layout().outputs(), site -> model.newEngine());
  }

  @Override
  public String name() {
    return "test";
  }

  @Override
  public boolean takes(Path file, ModelConfig config) {
    return true;
  }

  @Override
  public String unavailable() {
    return "";
  }

  @Override
  public DeviceModel load(Path file, GpuLoadOptions options) {
    return this;
  }

  @Override
  public List<TensorSpec> inputs() {
    return inputs;
  }

  @Override
  public List<TensorSpec> outputs() {
    return outputs;
  }

  @Override
  public long reservedBytes() {
    return 0;
  }

  @Override
  public DeviceEngine newEngine(EngineSite site) {
    return engines.apply(site);
  }

  @Override
  public void close() {}
}
