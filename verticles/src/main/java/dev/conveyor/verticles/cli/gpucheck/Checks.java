package dev.conveyor.verticles.cli.gpucheck;

import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;

/** What is checked, in this order: what others build on comes first. Stateless. */
final class Checks {

  private Checks() {}

  static List<Check> all() {
    return List.of(
        new EnvironmentCheck(),
        new StreamsCheck(),
        new PoolsCheck(),
        new OutOfMemoryCheck(),
        new CopiesCheck(),
        new PeersCheck(),
        new GraphsCheck(),
        new ImagesCheck(),
        new CropsCheck(),
        new DecodesCheck(),
        new ModelCheck("onnxruntime-fp32", 1e-4, site -> Way.onnxRuntime(false)),
        new ModelCheck("onnxruntime-tf32", 1e-2, site -> Way.onnxRuntime(true)),
        new LeakCheck("onnxruntime-memory", site -> Way.onnxRuntime(false)),
        new ModelCheck("tensorrt-fp32", 1e-4, tensorRt("FP32")),
        new ModelCheck("tensorrt-tf32", 1e-2, tensorRt("TF32")),
        new ModelCheck("tensorrt-fp16", 1e-2, tensorRt("FP16")),
        new ModelCheck("tensorrt-int8", 1e-1, Checks::calibrated),
        new ModelCheck("tensorrt-graphs", 1e-4, Checks::captured),
        new LeakCheck("tensorrt-memory", tensorRt("FP16")),
        new EngineCacheCheck(),
        new ProgressCheck(),
        new ResNetCheck("resnet50-fp32", "FP32", 1e-3),
        new ResNetCheck("resnet50-fp16", "FP16", 1e-2),
        new ResNetCheck("resnet50-int8", "INT8", 1),
        new ServerCheck(),
        new ThroughputCheck(),
        new LoadCheck());
  }

  private static Function<CheckSite, Way> tensorRt(String precision) {
    return site -> Way.tensorRt(precision, cache(site));
  }

  private static Way calibrated(CheckSite site) {
    return Way.tensorRt(
        "INT8",
        cache(site),
        new JsonObject().put("int8_calibration_data", Subject.photos(site).toString()));
  }

  private static Way captured(CheckSite site) {
    return Way.tensorRt("FP32", cache(site), new JsonObject().put("trt_cuda_graph_enable", "true"));
  }

  private static Path cache(CheckSite site) {
    return site.scratch().resolve("engines");
  }
}
