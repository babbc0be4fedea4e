package dev.conveyor.models.onnx;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.DeviceModel;
import dev.conveyor.models.device.GpuBackend;
import dev.conveyor.models.device.GpuLoadOptions;
import java.nio.file.Path;

/**
 * Runs ONNX files on a GPU through ONNX Runtime's CUDA provider. Thread-safe.
 *
 * <p>One session per device, shared by the instances there. It is given its own stream, so that it
 * never waits for the device, and reads and writes the instances' slabs in place.
 */
public final class OnnxGpuBackend implements GpuBackend {

  @Override
  public String name() {
    return "onnxruntime_cuda";
  }

  @Override
  public boolean takes(Path file, ModelConfig config) {
    String provider = config.parameters().getOrDefault(OnnxBackend.PROVIDER_PARAMETER, "cuda");
    return provider.equals("cuda") && file.toString().endsWith(".onnx");
  }

  @Override
  public String unavailable() {
    return CudaProvider.unavailable();
  }

  @Override
  public DeviceModel load(Path file, GpuLoadOptions options) {
    long stream = options.cuda().newStream(options.config().gpuPriority().ofStreams());
    try {
      return new OnnxGpuModel(file, options, stream);
    } catch (RuntimeException | Error e) {
      destroy(options.cuda(), stream, e);
      throw e;
    }
  }

  private static void destroy(Cuda cuda, long stream, Throwable failure) {
    try {
      cuda.destroyStream(stream);
    } catch (CudaException e) {
      failure.addSuppressed(e);
    }
  }
}
