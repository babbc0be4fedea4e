package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceLayout;
import dev.conveyor.models.device.DeviceModel;
import dev.conveyor.models.device.EngineSite;
import dev.conveyor.models.device.GpuBackend;
import dev.conveyor.models.device.GpuLoadOptions;

/** The computation of full batches back to back, with nothing copied: the most there can be. */
final class BareLoop {

  private static final int WARM_UP = 20;
  private static final int LEAST = 50;

  private BareLoop() {}

  /** Loads a model and returns items per second of it, as below. */
  static double perSecond(
      CheckSite site, GpuBackend backend, ModelConfig config, Subject subject, double seconds) {
    GpuLoadOptions options =
        new GpuLoadOptions("check/1", site.cuda(), site.gpu().ordinal(), site.device(), config);
    try (DeviceModel model = backend.load(subject.file(), options)) {
      return perSecond(site, model, subject.maxBatchSize(), seconds);
    }
  }

  /** Returns items per second over at least {@code seconds}. */
  static double perSecond(CheckSite site, DeviceModel model, int batch, double seconds) {
    Cuda cuda = site.cuda();
    DeviceLayout layout = new DeviceLayout(model.inputs(), model.outputs(), batch);
    try (Scope scope = new Scope(site)) {
      final long stream = scope.stream();
      DevicePool pool =
          scope.pool(2 * layout.slabBytes() + model.scratchBytes(layout) + (8L << 20));
      long slab = scope.memory(pool, layout.slabBytes(), stream);
      DeviceBatch place =
          new DeviceBatch() {
            @Override
            public long input(int index) {
              return slab + layout.inputOffset(index);
            }

            @Override
            public long output(int index) {
              return slab + layout.inputBytes() + layout.outputOffset(index);
            }
          };
      DeviceEngine engine =
          model.newEngine(new EngineSite(cuda, site.gpu().ordinal(), layout, pool, stream));
      scope.add(engine::close);
      double warm = run(cuda, engine, place, batch, stream, WARM_UP);
      int batches = (int) Math.max(LEAST, seconds * warm / batch);
      return run(cuda, engine, place, batch, stream, batches);
    }
  }

  private static double run(
      Cuda cuda, DeviceEngine engine, DeviceBatch place, int items, long stream, int batches) {
    long beginNs = System.nanoTime();
    for (int i = 0; i < batches; i++) {
      engine.enqueue(items, place, stream);
    }
    cuda.awaitStream(stream);
    return (double) items * batches * 1e9 / (System.nanoTime() - beginNs);
  }
}
