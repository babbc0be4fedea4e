package dev.conveyor.models.device;

import dev.conveyor.memory.BlockAllocator;
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
 * largest batch, or, where dimensions vary, when a batch needs more than those before.
 *
 * <p>Not thread-safe: owned by the submitting thread until its batch is enqueued, then by the
 * thread that waits for it, which gives it back.
 */
final class Slot implements DeviceBatch {

  /** Memory for varying dimensions grows from here, by doubling. */
  private static final long LEAST_BYTES = 64 << 10;

  final int number;
  private final SlotMemory memory;
  private final boolean varies;

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
  private DeviceLayout layout;
  List<? extends BatchRequest> requests = List.of();
  int items;
  @Nullable Lease outputs;

  /** Outputs whose shapes the engine told; null where they are known. Of the batch before, too. */
  private @Nullable DeviceOutputs produced;

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
   * @param stream in whose order its slab is allocated and freed
   * @param staging allocates memory for inputs that devices cannot read
   */
  Slot(
      int number,
      Cuda cuda,
      DeviceLayout layout,
      DevicePool pool,
      long stream,
      BlockAllocator staging,
      Releases releases) {
    this.number = number;
    this.layout = layout;
    this.varies = !layout.isFixed();
    this.graphs = new long[layout.maxItems() + 1];
    this.memory = new SlotMemory(pool, staging);
    releases.add(memory::closeStaging);
    releases.add(() -> memory.freeSlab(stream));
    releases.add(this::forgetProduced);
    releases.add(this::clear); // Of one that was given up; others are clear by then.
    if (layout.isFixed()) {
      memory.ensure(layout.slabBytes(), layout.inputBytes(), stream);
    }
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

  /** Returns where the inputs of its batch lie. */
  DeviceLayout layout() {
    return layout;
  }

  /**
   * Makes room for the inputs of its batch, whose dimensions vary.
   *
   * @param inputs of that batch
   * @param stream on which it begins
   */
  void makeRoom(DeviceLayout inputs, long stream) {
    forgetProduced();
    layout = inputs;
    long bytes = Math.max(LEAST_BYTES, Long.highestOneBit(inputs.inputBytes() - 1) << 1);
    memory.ensure(bytes, bytes, stream);
  }

  /** Gives back, in the order of a stream, what it has grown by, and what its last batch gave. */
  void shrink(long stream) {
    if (varies) {
      forgetProduced();
      memory.freeSlab(stream);
      memory.closeStaging();
    }
  }

  /** Returns whether only the batch tells how large its tensors are. */
  boolean varies() {
    return varies;
  }

  /** Takes over the outputs of its batch, whose shapes are known by now. */
  void produced(DeviceOutputs outputs) {
    produced = outputs;
  }

  /** Returns the outputs of its batch if their shapes were not known beforehand; null else. */
  @Nullable DeviceOutputs produced() {
    return produced;
  }

  /** Of the batch before, which is over. By who has the engine, and so not in {@link #clear}. */
  private void forgetProduced() {
    DeviceOutputs before = produced;
    produced = null;
    if (before != null) {
      before.close();
    }
  }

  @Override
  public long input(int index) {
    return memory.slab() + layout.inputOffset(index);
  }

  @Override
  public long output(int index) {
    return memory.slab() + layout.inputBytes() + layout.outputOffset(index);
  }

  /** Returns memory that devices read, in the layout of the inputs. */
  ByteBuffer staging() {
    return memory.stagingBytes();
  }

  long stagingAddress() {
    return memory.stagingAddress();
  }

  /** Returns whether inputs were read on a device that is lost: what came of them is not known. */
  boolean hasReadLost() {
    for (int i = 0; i < reads.size(); i++) {
      if (reads.get(i).block().pool().isLost()) {
        return true;
      }
    }
    return false;
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
