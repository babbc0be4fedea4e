package dev.conveyor.models.device;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.models.backend.BatchRequest;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Room for one batch on the device, and the events that mark its way: allocated once, for the
 * largest batch.
 *
 * <p>Not thread-safe: owned by the submitting thread until its batch is enqueued, then by the
 * thread that waits for it, which gives it back.
 */
final class Slot implements DeviceBatch {

  final int number;
  private final DeviceLayout layout;
  private final long slab;
  private final Block staging;
  private final ByteBuffer stagingBytes;

  /** When the copies in begin and are complete, computing begins and is complete, all is done. */
  final long begun;

  final long copiedIn;
  final long computing;
  final long computed;
  final long done;

  /** When the copies of outputs that stay on the device are complete; after {@link #done}. */
  final long copiedAside;

  /** Whether there were any since computing last waited for them. */
  boolean isCopiedAside;

  /** By batch size; see {@link Graphs}. */
  final long[] graphs;

  // Of the batch in flight.
  List<? extends BatchRequest> requests = List.of();
  int items;
  @Nullable Lease outputs;

  /** Outputs that stay on the device; null if none do. */
  @Nullable ResidentBlock resident;

  /**
   * By output, then by request: where in that block it is, or {@link OutputCopies#ON_HOST}; null if
   * none stay.
   */
  long @Nullable [] residentAt;

  /** Inputs that are read where they are on the device. */
  final List<ResidentBytes> reads = new ArrayList<>(0);

  /**
   * Allocates a slot; what was allocated is released by {@code releases}.
   *
   * @param number of the slot in its pipeline
   * @param staging allocates memory for inputs that devices cannot read
   */
  Slot(
      int number,
      Cuda cuda,
      DeviceLayout layout,
      DevicePool pool,
      long stream,
      Block staging,
      Releases releases) {
    this.number = number;
    this.layout = layout;
    this.graphs = new long[layout.maxItems() + 1];
    this.staging = staging;
    this.stagingBytes = staging.buffer();
    releases.add(staging::close);
    long allocated = pool.allocate(layout.slabBytes(), stream);
    this.slab = allocated;
    releases.add(() -> pool.free(allocated, stream));
    this.begun = event(cuda, releases);
    this.copiedIn = event(cuda, releases);
    this.computing = event(cuda, releases);
    this.computed = event(cuda, releases);
    this.done = event(cuda, releases);
    this.copiedAside = event(cuda, releases);
  }

  private static long event(Cuda cuda, Releases releases) {
    long event = cuda.newEvent();
    releases.add(() -> cuda.destroyEvent(event));
    return event;
  }

  @Override
  public long input(int index) {
    return slab + layout.inputOffset(index);
  }

  @Override
  public long output(int index) {
    return slab + layout.inputBytes() + layout.outputOffset(index);
  }

  /** Returns memory that devices read, in the layout of the inputs. */
  ByteBuffer staging() {
    return stagingBytes;
  }

  long stagingAddress() {
    return staging.address();
  }

  /** Gives back what its batch took, and forgets it. Nothing of it reads or writes any more. */
  void clear() {
    Lease lent = outputs;
    ResidentBlock block = resident;
    requests = List.of();
    items = 0;
    outputs = null;
    resident = null;
    residentAt = null;
    if (lent != null) {
      lent.close();
    }
    if (block != null) {
      block.leave(); // The copies into it may still run: what is recorded behind them tells.
    }
    for (int i = 0; i < reads.size(); i++) {
      reads.get(i).close();
    }
    reads.clear();
  }
}
