package dev.conveyor.verticles.chaos;

import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.onnx.OnnxBackend;
import io.vertx.core.Vertx;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The real backend, but models with the parameter {@value #PARAMETER} do what {@link Poison} asks
 * for. It is no registered service: only a server whose class path was arranged so has it.
 *
 * <p>Thread-safe: no state of its own.
 */
public final class FaultyBackend implements Backend {

  /** Present in the configuration of models that can be made to fail. */
  public static final String PARAMETER = "chaos";

  private final Backend real;

  /** For the service loader. */
  public FaultyBackend() {
    this(new OnnxBackend());
  }

  public FaultyBackend(Backend real) {
    this.real = real;
  }

  @Override
  public String name() {
    return real.name();
  }

  @Override
  public Optional<Declared> declared(Path file) {
    return real.declared(file);
  }

  @Override
  public void warmUp() {
    real.warmUp();
  }

  @Override
  public LoadedModel load(Path file, LoadOptions options) {
    LoadedModel loaded = real.load(file, options);
    return options.parameters().containsKey(PARAMETER) ? new FaultyModel(loaded) : loaded;
  }

  private record FaultyModel(LoadedModel model) implements LoadedModel {

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
      EventRelay.attach(Vertx.currentContext());
      return new FaultyExecutor(model.newExecutor(maxBatchSize));
    }

    @Override
    public void close() {
      model.close();
    }
  }

  /** Thread-confined, as what it wraps. */
  private static final class FaultyExecutor implements ModelExecutor {

    private final ModelExecutor executor;
    private final Faults faults = new Faults();

    FaultyExecutor(ModelExecutor executor) {
      this.executor = executor;
    }

    @Override
    public BatchResult execute(List<? extends BatchRequest> requests) {
      faults.before(requests);
      return faults.after(requests, executor.execute(requests));
    }

    @Override
    public void stayAwake(boolean awake) {
      executor.stayAwake(awake);
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
