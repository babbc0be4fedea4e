package dev.conveyor.verticles.gpu;

import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceLayout;
import dev.conveyor.models.device.DeviceModel;
import dev.conveyor.models.device.DeviceOutputs;
import dev.conveyor.models.device.EngineSite;
import dev.conveyor.models.device.GpuBackend;
import dev.conveyor.models.device.GpuLoadOptions;
import dev.conveyor.models.device.LoadMeter;
import dev.conveyor.models.device.PoolOutputs;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.verticles.server.Gate;
import java.nio.file.Path;
import java.util.List;

/**
 * Runs the simulated device's kernel for models that ask for it, in the place of what their file
 * says: so an answer tells which device it is from.
 */
public final class KernelBackend implements GpuBackend {

  static final String PARAMETER = "test_kernel";

  /** Names the {@link Gate} that its engines pass through as they are made. */
  static final String GATE_PARAMETER = "test_gate";

  /** Has what a load takes measured, as of libraries that do not tell. */
  static final String MEASURED_PARAMETER = "test_measured";

  private static final long WEIGHT_BYTES = 3 << 20;
  private static final long SCRATCH_BYTES = 1 << 16;
  private static final long COST_NS = 20_000;

  @Override
  public String name() {
    return PARAMETER;
  }

  @Override
  public boolean takes(Path file, ModelConfig config) {
    return config.parameters().containsKey(PARAMETER);
  }

  @Override
  public String unavailable() {
    return "";
  }

  @Override
  public DeviceModel load(Path file, GpuLoadOptions options) {
    CudaSimulator unused = CudaSimulator.start(); // Not yet, in a worker process.
    Declared declared =
        new OnnxBackend()
            .declared(file)
            .orElseThrow(() -> new ModelLoadException(file + ": no header"));
    if (!options.config().parameters().containsKey(MEASURED_PARAMETER)) {
      return new Model(declared, options);
    }
    try (Reservation unknown = options.budget().reserve(options.owner() + "/measured", 0)) {
      return LoadMeter.load(options, unknown, () -> new Model(declared, options), Model::close);
    }
  }

  private static final class Model implements DeviceModel {

    private final Declared declared;
    private final GpuLoadOptions options;
    private final DevicePool weights;
    private final long stream;
    private final long address;

    Model(Declared declared, GpuLoadOptions options) {
      this.declared = declared;
      this.options = options;
      this.stream = options.cuda().newStream(0);
      this.weights =
          new DevicePool(
              options.cuda(),
              options.device(),
              WEIGHT_BYTES,
              options.budget(),
              options.owner() + "/weights");
      try {
        this.address = weights.allocate(WEIGHT_BYTES, stream);
        options.cuda().awaitStream(stream);
      } catch (RuntimeException e) {
        options.cuda().destroyStream(stream);
        weights.close();
        throw e;
      }
    }

    @Override
    public List<TensorSpec> inputs() {
      return declared.inputs();
    }

    @Override
    public List<TensorSpec> outputs() {
      return declared.outputs();
    }

    @Override
    public long reservedBytes() {
      return weights.takenBytes();
    }

    @Override
    public long scratchBytes(DeviceLayout layout) {
      return SCRATCH_BYTES;
    }

    @Override
    public boolean takesVaryingShapes() {
      return true;
    }

    @Override
    public DeviceEngine newEngine(EngineSite site) {
      String gate = options.config().parameters().get(GATE_PARAMETER);
      if (gate != null) {
        Gate.pass(gate);
      }
      return new Engine(site);
    }

    @Override
    public void close() {
      try {
        weights.free(address, stream);
        options.cuda().awaitStream(stream);
        options.cuda().destroyStream(stream);
      } catch (CudaException e) {
        if (!e.isSticky()) {
          throw e;
        }
      } finally {
        weights.close();
      }
    }
  }

  private static final class Engine implements DeviceEngine {

    private final EngineSite site;
    private final long scratch;

    Engine(EngineSite site) {
      this.site = site;
      this.scratch = site.pool().allocate(SCRATCH_BYTES, site.stream());
    }

    @Override
    public void enqueue(int items, DeviceBatch batch, long stream) {
      TestKernel.launch(
          stream,
          items,
          batch.input(0),
          site.layout().inputItemBytes(0),
          batch.output(0),
          site.layout().outputItemBytes(0),
          COST_NS);
    }

    /** Each item has as many words in its output as in its input. */
    @Override
    public DeviceOutputs enqueue(List<Shape> inputs, DeviceBatch batch, long stream) {
      Shape shape = inputs.get(0);
      PoolOutputs outputs =
          new PoolOutputs(site.pool(), site.layout().outputs(), List.of(shape), stream);
      long items = shape.dim(0);
      long itemBytes = Integer.BYTES * shape.elements() / items;
      TestKernel.launch(
          stream, (int) items, batch.input(0), itemBytes, outputs.address(0), itemBytes, COST_NS);
      return outputs;
    }

    @Override
    public void close() {
      site.pool().free(scratch, site.stream());
    }
  }
}
