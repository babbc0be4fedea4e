package dev.conveyor.verticles.metrics;

import dev.conveyor.memory.cpu.CpuFigures;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.verticles.ImageInputs;
import dev.conveyor.verticles.InputCheck;
import dev.conveyor.verticles.ServedModel;
import java.util.List;
import java.util.Map;

/** What tests of figures and of the page serve. */
public final class Samples {

  private Samples() {}

  public static ServedModel model(String name, String version, ModelStats stats) {
    return model(ModelConfig.empty(name), version, stats);
  }

  /** Returns a model with a latency objective. */
  public static ServedModel promising(String name, long objectiveMicros, ModelStats stats) {
    return model(
        ModelConfigReader.read(
            name,
            "{\"conveyor\": {\"latency_objective_microseconds\": %d}}".formatted(objectiveMicros)),
        "1",
        stats);
  }

  /** Returns a model that is loaded by its first request, and may be evicted. */
  public static ServedModel onDemand(String name, ModelStats stats) {
    return model(
        ModelConfigReader.read(name, "{\"conveyor\": {\"residency\": \"on_demand\"}}"), "1", stats);
  }

  /** Returns a model that takes nothing and gives nothing. */
  public static ServedModel model(ModelConfig config, String version, ModelStats stats) {
    String name = config.name();
    return new ServedModel(
        name,
        version,
        version + "@1",
        "onnxruntime_onnx",
        config,
        new ModelSignature(List.of(), List.of(), 0),
        List.of(),
        Map.of(),
        new InputCheck(name, List.of(), List.of(), 0),
        ImageInputs.NONE,
        stats);
  }

  public static SystemSnapshot system(String model, int queued) {
    return new SystemSnapshot(
        List.of(new SystemSnapshot.Model(model, "1", queued, 1)),
        List.of(
            new SystemSnapshot.Instance(model, "1", 0, "CPU", "BUSY"),
            new SystemSnapshot.Instance(model, "1", 1, "CPU", "IDLE")),
        List.of(
            new SystemSnapshot.Device(
                "CPU", "CPU", 2, 0.75, 300, 1000, Map.of("a/weights", 200L, "b/weights", 100L))));
  }

  /** Returns a system whose CPU is so. */
  public static SystemSnapshot system(CpuFigures cpu) {
    return new SystemSnapshot(
        List.of(),
        List.of(),
        List.of(new SystemSnapshot.Device("CPU", "CPU", 2, 0, 0, 1000, Map.of(), null, cpu)));
  }
}
