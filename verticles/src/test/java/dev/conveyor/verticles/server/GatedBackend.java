package dev.conveyor.verticles.server;

import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.verticles.chaos.FaultyBackend;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The real backend, with a {@link Gate} before the executions of models that ask for one, and the
 * faults that {@link FaultyBackend} has for those that ask for them.
 */
public final class GatedBackend implements Backend {

  static final String PARAMETER = "test_gate";

  /** The only version that has the gate, if not all have. */
  static final String VERSION_PARAMETER = "test_gate_version";

  private final Backend onnx = new FaultyBackend(new OnnxBackend());

  @Override
  public String name() {
    return onnx.name();
  }

  @Override
  public LoadedModel load(Path file, LoadOptions options) {
    LoadedModel loaded = onnx.load(file, options);
    String gate = options.parameters().get(PARAMETER);
    String version = options.parameters().get(VERSION_PARAMETER);
    boolean open = version != null && !file.getParent().endsWith(version);
    return gate == null || open ? loaded : new GatedModel(loaded, gate);
  }

  @Override
  public Optional<Declared> declared(Path file) {
    return onnx.declared(file);
  }

  private record GatedModel(LoadedModel model, String gate) implements LoadedModel {

    @Override
    public List<TensorSpec> inputs() {
      return model.inputs();
    }

    @Override
    public List<TensorSpec> outputs() {
      return model.outputs();
    }

    @Override
    public long reservedBytes() {
      return model.reservedBytes();
    }

    @Override
    public ModelExecutor newExecutor(int maxBatchSize) {
      return new GatedExecutor(model.newExecutor(maxBatchSize), gate);
    }

    @Override
    public void close() {
      model.close();
    }
  }

  private record GatedExecutor(ModelExecutor executor, String gate) implements ModelExecutor {

    @Override
    public BatchResult execute(List<? extends BatchRequest> requests) {
      Gate.pass(gate);
      return executor.execute(requests);
    }

    @Override
    public void cancel() {
      executor.cancel();
    }

    @Override
    public void close() {
      executor.close();
    }
  }
}
