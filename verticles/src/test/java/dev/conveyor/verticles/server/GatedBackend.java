package dev.conveyor.verticles.server;

import static java.util.Objects.requireNonNull;

import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.verticles.chaos.FaultyBackend;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The real backend, with a {@link Gate} before the executions of models that ask for one, and the
 * faults that {@link FaultyBackend} has for those that ask for them.
 */
public final class GatedBackend implements Backend {

  static final String PARAMETER = "test_gate";

  /** The only version that has the gate, if not all have. */
  static final String VERSION_PARAMETER = "test_gate_version";

  private static final Map<String, GatedExecutor> LATEST = new ConcurrentHashMap<>();

  private final Backend onnx = new FaultyBackend(new OnnxBackend());

  /**
   * Takes what runs the batches away from the instance that came up last, as a worker process that
   * dies while it has nothing to do. From any thread.
   */
  public static void lose(String gate, String why) {
    GatedExecutor executor = requireNonNull(LATEST.get(gate));
    executor.loss = why;
    requireNonNull(executor.listener).accept(why);
  }

  /**
   * Keeps the thread of the instance that came up last from beginning a batch, until the latch is
   * counted down; something must have run there before.
   */
  public static void occupy(String gate, CountDownLatch until) {
    requireNonNull(requireNonNull(LATEST.get(gate)).context)
        .runOnContext(
            v -> {
              try {
                until.await();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
  }

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

  /** Thread-confined to its instance, except for what says otherwise. */
  private static final class GatedExecutor implements ModelExecutor {

    private final ModelExecutor executor;
    private final String gate;
    private volatile @Nullable Context context;
    private volatile @Nullable Consumer<String> listener;
    private volatile String loss = "";

    GatedExecutor(ModelExecutor executor, String gate) {
      this.executor = executor;
      this.gate = gate;
      LATEST.put(gate, this);
    }

    @Override
    public BatchResult execute(List<? extends BatchRequest> requests) {
      context = Vertx.currentContext();
      if (!loss.isEmpty()) {
        throw new ExecutionException(ExecutionException.Kind.INSTANCE_LOST, loss);
      }
      Gate.pass(gate);
      return executor.execute(requests);
    }

    @Override
    public void whenLost(Consumer<String> listener) {
      this.listener = listener;
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
