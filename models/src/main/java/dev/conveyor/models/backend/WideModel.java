package dev.conveyor.models.backend;

import dev.conveyor.models.TensorSpec;
import java.util.List;
import java.util.function.Consumer;

/**
 * A model that is loaded twice, with few threads for one execution and with many, so that each run
 * can take as many as the cores have time for. Backends fix the threads when they load.
 *
 * <p>Thread-safe, as both models are. The weights are in memory, and in the ledger, twice.
 */
public final class WideModel implements LoadedModel {

  private final LoadedModel narrow;
  private final LoadedModel wide;

  /** Takes over two loads of one file, whose tensors are the same. */
  public WideModel(LoadedModel narrow, LoadedModel wide) {
    this.narrow = narrow;
    this.wide = wide;
  }

  @Override
  public List<TensorSpec> inputs() {
    return narrow.inputs();
  }

  @Override
  public List<TensorSpec> outputs() {
    return narrow.outputs();
  }

  @Override
  public long reservedBytes() {
    return narrow.reservedBytes() + wide.reservedBytes();
  }

  @Override
  public boolean decodesImages() {
    return narrow.decodesImages();
  }

  @Override
  public ModelExecutor newExecutor(int maxBatchSize) {
    ModelExecutor usual = narrow.newExecutor(maxBatchSize);
    try {
      return new Executor(usual, wide.newExecutor(maxBatchSize));
    } catch (RuntimeException | Error e) {
      usual.close();
      throw e;
    }
  }

  @Override
  public void close() {
    try (narrow) {
      wide.close();
    }
  }

  /** Runs on the one or the other. Thread-confined, but for what {@link ModelExecutor} says. */
  private static final class Executor implements ModelExecutor {

    private final ModelExecutor narrow;
    private final ModelExecutor wide;
    private ModelExecutor next;

    Executor(ModelExecutor narrow, ModelExecutor wide) {
      this.narrow = narrow;
      this.wide = wide;
      this.next = narrow;
    }

    @Override
    public BatchResult execute(List<? extends BatchRequest> requests) {
      return next.execute(requests);
    }

    @Override
    public void widen(boolean widely) {
      next = widely ? wide : narrow;
    }

    @Override
    public boolean canWiden() {
      return true;
    }

    @Override
    public void stayAwake(boolean awake) {
      narrow.stayAwake(awake);
      wide.stayAwake(awake);
    }

    @Override
    public void cancel() {
      narrow.cancel();
      wide.cancel();
    }

    @Override
    public void whenLost(Consumer<String> listener) {
      narrow.whenLost(listener);
    }

    @Override
    public long processId() {
      return narrow.processId();
    }

    @Override
    public String lossCause() {
      return narrow.lossCause();
    }

    @Override
    public void close() {
      try (narrow) {
        wide.close();
      }
    }
  }
}
