package dev.conveyor.models.device;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The execution contexts of an engine: one that every batch takes, or, where batches are captured
 * in CUDA graphs, one for every batch size in every slot.
 *
 * <p>What a graph launches uses what its context had made ready on the device when it was captured.
 * A context that is then made ready for batches of another size must not be behind that graph any
 * more: NVIDIA asks for a context per graph ("Capturing with CUDA graphs" in TensorRT's developer
 * guide). They run one after the other, and may share their scratch memory.
 *
 * <p>Not thread-safe: owned by the engine.
 */
public final class Contexts<C> implements AutoCloseable {

  private record Batch(long input, int items) {}

  private final boolean perGraph;
  private final Supplier<C> maker;
  private final Consumer<C> closer;
  private final Map<Batch, C> byBatch = new HashMap<>();
  private @Nullable C first;

  /**
   * Prepares.
   *
   * @param perGraph whether batches may be captured
   * @param closer of a context; nothing that it has enqueued is still running
   */
  public Contexts(boolean perGraph, Supplier<C> maker, Consumer<C> closer) {
    this.perGraph = perGraph;
    this.maker = maker;
    this.closer = closer;
  }

  /** Makes the first, to find out whether there can be one; throws what making it does. */
  public void prepare() {
    if (first == null) {
      first = maker.get();
    }
  }

  /** Returns the one for a batch, always the same; throws what making it does. */
  public C of(int items, DeviceBatch batch) {
    if (!perGraph) {
      C only = first == null ? maker.get() : first;
      first = only;
      return only;
    }
    return byBatch.computeIfAbsent(new Batch(batch.input(0), items), unused -> firstOrNew());
  }

  private C firstOrNew() {
    C made = first == null ? maker.get() : first;
    first = null;
    return made;
  }

  @Override
  public void close() {
    C unused = first;
    if (unused != null) {
      closer.accept(unused);
    }
    byBatch.values().forEach(closer);
    byBatch.clear();
    first = null;
  }
}
