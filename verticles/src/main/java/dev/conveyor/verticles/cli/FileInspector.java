package dev.conveyor.verticles.cli;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelParameters;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.models.repository.ModelInspector;
import dev.conveyor.models.tensorrt.EngineFiles;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Looks into model files as their backends do, on a machine that need not have a GPU: engines are
 * taken for what their configuration says, and what a GPU would execute is opened on the CPU.
 * Thread-safe: no state but a ledger.
 */
final class FileInspector implements ModelInspector {

  private static final String CUDA = "cuda";

  private final MemoryBudget budget = new MemoryBudget("CPU", Long.MAX_VALUE);
  private final OnnxBackend backend = new OnnxBackend();

  @Override
  public Optional<Declared> inspect(Path modelFile, ModelConfig config) {
    EngineFiles.requireSettings(config);
    if (EngineFiles.isEngine(config)) {
      return EngineFiles.declared(config);
    }
    Map<String, String> parameters = new HashMap<>(config.parameters());
    parameters.remove(ModelParameters.EXECUTION_PROVIDER, CUDA);
    LoadOptions options = new LoadOptions("validate", 1, budget, parameters);
    try (LoadedModel model = backend.load(modelFile, options)) {
      return Optional.of(new Declared(model.inputs(), model.outputs()));
    }
  }
}
