package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.GpuBackend;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.ServiceLoader;

/**
 * A way to run a model on a GPU: a library and its settings. Immutable.
 *
 * @param backend name of the library's backend
 * @param settings of a model's configuration
 */
record Way(String backend, JsonObject settings) {

  /** Returns ONNX Runtime's CUDA provider. */
  static Way onnxRuntime(boolean tf32) {
    return new Way(
        "onnxruntime_cuda",
        new JsonObject()
            .put(
                "parameters",
                new JsonObject()
                    .put("use_tf32", new JsonObject().put("string_value", tf32 ? "1" : "0"))));
  }

  /** Returns TensorRT, which builds its engine while it is waited for, into {@code cache}. */
  static Way tensorRt(String precision, Path cache) {
    return tensorRt(precision, cache, new JsonObject());
  }

  /** As above, with more parameters. */
  static Way tensorRt(String precision, Path cache, JsonObject more) {
    JsonObject parameters =
        new JsonObject()
            .put("precision_mode", precision)
            .put("background_build", "false")
            .put("trt_engine_cache_path", cache.toString())
            .mergeIn(more);
    JsonObject accelerator = new JsonObject().put("name", "tensorrt").put("parameters", parameters);
    return new Way(
        "tensorrt",
        new JsonObject()
            .put(
                "optimization",
                new JsonObject()
                    .put(
                        "execution_accelerators",
                        new JsonObject()
                            .put("gpu_execution_accelerator", new JsonArray().add(accelerator)))));
  }

  /** Returns the library's backend; whether it can be used it says itself. */
  GpuBackend find() {
    for (GpuBackend each : ServiceLoader.load(GpuBackend.class)) {
      if (each.name().equals(backend)) {
        return each;
      }
    }
    throw new IllegalStateException("no backend '" + backend + "' on the class path");
  }

  ModelConfig config(Subject subject) {
    return subject.config(settings);
  }
}
