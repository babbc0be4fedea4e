package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceLayout;
import dev.conveyor.models.device.DeviceModel;
import dev.conveyor.models.device.EngineSite;
import dev.conveyor.models.device.GpuBackend;
import dev.conveyor.models.device.GpuLoadOptions;
import dev.conveyor.models.onnx.OnnxBackend;
import java.nio.file.Path;
import java.util.List;

/**
 * Answers with what it is given, by way of the host, which is all that the simulated device can do
 * without a kernel. For models whose parameter {@code echo} says so: {@code right}, {@code wrong}
 * (one byte of every item is missing) or {@code leaking}.
 */
public final class EchoBackend implements GpuBackend {

  static final String PARAMETER = "echo";

  private static final long LEAKED_BYTES = 1 << 20;

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
    Declared declared = new OnnxBackend().declared(file).orElseThrow();
    String how = options.config().parameters().get(PARAMETER);
    return new Model(declared, options, "leaking".equals(how), "wrong".equals(how) ? 1 : 0);
  }

  private record Model(Declared declared, GpuLoadOptions options, boolean leaks, int missing)
      implements DeviceModel {

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
      return 0;
    }

    @Override
    public DeviceEngine newEngine(EngineSite site) {
      return new Engine(site, missing);
    }

    /** A pool that nobody closes. */
    @Override
    @SuppressWarnings("resource")
    public void close() {
      if (leaks) {
        Cuda cuda = options.cuda();
        MemoryBudget unseen = new MemoryBudget("unseen", Long.MAX_VALUE);
        DevicePool pool = new DevicePool(cuda, options.device(), LEAKED_BYTES, unseen, "leak");
        long stream = cuda.newStream(0);
        long unused = pool.allocate(LEAKED_BYTES, stream);
        cuda.awaitStream(stream);
        cuda.destroyStream(stream);
      }
    }
  }

  private static final class Engine implements DeviceEngine {

    private final EngineSite site;
    private final Block staging;
    private final int missing;

    Engine(EngineSite site, int missing) {
      this.site = site;
      this.missing = missing;
      BlockAllocator pinned =
          new PinnedAllocator(site.cuda(), new MemoryBudget("echo", Long.MAX_VALUE), "echo");
      this.staging = pinned.allocate(site.layout().inputBytes());
    }

    @Override
    public void enqueue(int items, DeviceBatch batch, long stream) {
      DeviceLayout layout = site.layout();
      long item = layout.inputItemBytes(0);
      for (int i = 0; i < items; i++) {
        long at = i * item;
        site.cuda().copyToHost(staging.address() + at, batch.input(0) + at, item, stream);
        site.cuda()
            .copyToDevice(
                batch.output(0) + at, staging.address() + at + missing, item - missing, stream);
      }
    }

    @Override
    public void close() {
      staging.close();
    }
  }
}
