package dev.conveyor.models.device;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * The execution contexts of an engine: one for each of its profiles that every batch takes, or,
 * where batches are captured in CUDA graphs, one for every batch size in every slot.
 *
 * <p>What a graph launches uses what its context had made ready on the device when it was captured.
 * A context that is then made ready for batches of another size must not be behind that graph any
 * more: NVIDIA asks for a context per graph ("Capturing with CUDA graphs" in TensorRT's developer
 * guide). They run one after the other, and may share their scratch memory.
 *
 * <p>Not thread-safe: owned by the engine.
 */
public final class Contexts<C> implements AutoCloseable {

  private record Batch(int profile, long input, int items) {}

  private final boolean perGraph;
  private final IntFunction<C> maker;
  private final Consumer<C> closer;
  private final Map<Batch, C> byBatch = new HashMap<>();
  private @Nullable C first;
  private int firstProfile;

  /**
   * Prepares.
   *
   * @param perGraph whether batches may be captured
   * @param maker makes one for a profile
   * @param closer of a context; nothing that it has enqueued is still running
   */
  public Contexts(boolean perGraph, IntFunction<C> maker, Consumer<C> closer) {
    this.perGraph = perGraph;
    this.maker = maker;
    this.closer = closer;
  }

  /**
   * Makes the first, of a profile, and returns it: to find out whether there can be one. Throws
   * what making it does.
   */
  public C prepare(int profile) {
    C made = maker.apply(profile);
    first = made;
    firstProfile = profile;
    return made;
  }

  /** Returns the one for a batch, always the same; throws what making it does. */
  public C of(int profile, int items, DeviceBatch batch) {
    Batch key = perGraph ? new Batch(profile, batch.input(0), items) : new Batch(profile, 0, 0);
    return byBatch.computeIfAbsent(key, unused -> firstOrNew(profile));
  }

  private C firstOrNew(int profile) {
    C made = profile == firstProfile ? first : null;
    if (made == null) {
      return maker.apply(profile);
    }
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
