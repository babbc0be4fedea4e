package dev.conveyor.models.onnx;

import static org.bytedeco.onnxruntime.global.onnxruntime.ORT_ENABLE_ALL;

import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceModel;
import dev.conveyor.models.device.EngineSite;
import dev.conveyor.models.device.GpuLoadOptions;
import dev.conveyor.models.device.LoadMeter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.onnxruntime.Session;
import org.bytedeco.onnxruntime.SessionOptions;

/**
 * One session on one GPU. Thread-safe: one engine at a time enqueues a run.
 *
 * <p>The arena of the session holds weights and workspace together. What it has taken from the
 * device by the time that the session is open is reserved then, and what it grows by later when a
 * larger batch was run; see {@link Workspace}. Its limit is what the ledger had left at the
 * beginning.
 */
final class OnnxGpuModel implements DeviceModel {

  private final Cuda cuda;
  private final int device;
  private final long stream;
  private final Session session;
  private final Reservation reservation;
  private final Workspace workspace;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;

  /** Opens the file; {@code stream} is this one's to destroy once this succeeds. */
  OnnxGpuModel(Path file, GpuLoadOptions options, long stream) {
    this.cuda = options.cuda();
    this.device = options.device();
    this.stream = stream;
    this.reservation = options.budget().reserve(options.owner() + "/weights", 0);
    try {
      this.session =
          LoadMeter.load(options, reservation, () -> open(file, options, stream), Session::close);
      try {
        this.inputs = OnnxModel.specs(file, session.GetInputNames(), session::GetInputTypeInfo);
        this.outputs = OnnxModel.specs(file, session.GetOutputNames(), session::GetOutputTypeInfo);
        this.workspace =
            new Workspace(
                options.owner(),
                options.budget(),
                () -> ArenaBytes.onDevice(session, options.device()));
      } catch (RuntimeException | Error e) {
        session.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      reservation.close();
      throw e;
    }
  }

  private static Session open(Path file, GpuLoadOptions load, long stream) {
    Map<String, String> settings =
        CudaProvider.settings(
            load.device(), load.budget().availableBytes(), load.config().parameters());
    try (SessionOptions options = new SessionOptions();
        BytePointer path = new BytePointer(file.toAbsolutePath().toString())) {
      options.SetIntraOpNumThreads(1);
      options.SetInterOpNumThreads(1);
      options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
      options.AddConfigEntry("session.intra_op.allow_spinning", "0");
      CudaProvider.append(options, settings, stream);
      return new Session(OnnxBackend.environment(), path, options);
    } catch (ModelLoadException e) {
      throw e;
    } catch (RuntimeException e) {
      throw new ModelLoadException(file + ": " + e.getMessage(), e);
    }
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
    return reservation.bytes() + workspace.bytes();
  }

  @Override
  public DeviceEngine newEngine(EngineSite site) {
    Binder binder =
        new SessionBinder(session, DeviceBinding.gpuMemory(site.device()), site.layout());
    return new OnnxGpuEngine(session, binder, stream, site, workspace);
  }

  @Override
  public boolean takesVaryingShapes() {
    return true;
  }

  @Override
  public void close() {
    LoadMeter.unload(
        device,
        reservation,
        () -> {
          workspace.close();
          session.close();
        });
    try {
      cuda.destroyStream(stream);
    } catch (CudaException e) {
      if (!e.isSticky()) {
        throw e;
      }
    }
  }
}
