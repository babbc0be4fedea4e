package dev.conveyor.models.device;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.models.backend.BatchRequest;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Copies the outputs of a batch out of its slot: to the host, or, those that may stay, to memory of
 * the device that does not belong to the slot.
 *
 * <p>Not thread-safe: owned by the submitting thread. Neighbours go in one copy.
 */
final class OutputCopies {

  /** In {@link Slot#residentAt}: on the host. */
  static final long ON_HOST = -1;

  private static final long ALIGNMENT_BYTES = 256;

  private final Cuda cuda;
  private final DeviceLayout layout;
  private final BufferPool pinned;
  private final @Nullable ResidentPool residents;
  private final String device;

  /**
   * Creates it.
   *
   * @param pinned lends memory on the host
   * @param residents memory for what stays; null if nothing does
   * @param device its name
   */
  OutputCopies(
      Cuda cuda,
      DeviceLayout layout,
      BufferPool pinned,
      @Nullable ResidentPool residents,
      String device) {
    this.cuda = cuda;
    this.layout = layout;
    this.pinned = pinned;
    this.residents = residents;
    this.device = device;
  }

  /**
   * Decides what stays, and takes the memory for what does and what does not; of the slot's
   * requests. What was taken is the slot's, also if this fails.
   *
   * @throws dev.conveyor.memory.BudgetExceededException if there is none on the host
   */
  void prepare(Slot slot, long stream) {
    long staying = residents == null ? 0 : place(slot);
    if (staying > 0 && residents != null) {
      slot.resident = residents.tryAllocate(staying, stream);
    }
    if (slot.resident == null) {
      slot.residentAt = null;
    }
    if (anyOnHost(slot)) {
      slot.outputs = pinned.acquire(layout.hostBytes(slot.items));
    }
  }

  private static boolean anyOnHost(Slot slot) {
    long[] places = slot.residentAt;
    if (places == null) {
      return true;
    }
    for (long place : places) {
      if (place == ON_HOST) {
        return true;
      }
    }
    return false;
  }

  /** Finds the places of what stays; returns how many bytes that is. */
  private long place(Slot slot) {
    List<? extends BatchRequest> requests = slot.requests;
    long[] places = null;
    long at = 0;
    for (int o = 0; o < layout.outputs().size(); o++) {
      String name = layout.outputs().get(o).name();
      for (int r = 0; r < requests.size(); r++) {
        if (!requests.get(r).mayStay(device, name)) {
          continue;
        }
        if (places == null) {
          places = new long[layout.outputs().size() * requests.size()];
          Arrays.fill(places, ON_HOST);
        }
        int here = o * requests.size() + r;
        if (r == 0 || places[here - 1] == ON_HOST) {
          at = (at + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
        }
        places[here] = at;
        at += layout.outputItemBytes(o) * requests.get(r).batchSize();
      }
    }
    slot.residentAt = places;
    return at;
  }

  /** Enqueues the copies to the host. */
  void toHost(Slot slot, long stream) {
    if (slot.varies()) {
      VaryingOutputs.toHost(cuda, layout.outputs(), pinned, slot, stream);
      return;
    }
    Lease host = slot.outputs;
    if (host == null) {
      return;
    }
    for (int o = 0; o < layout.outputs().size(); o++) {
      if (slot.residentAt == null) {
        copyToHost(slot, host, o, 0, slot.items, stream);
      } else {
        eachRun(slot, slot.residentAt, o, false, host, stream);
      }
    }
  }

  /** Enqueues the copies of what stays, and what tells that they are done. */
  void aside(Slot slot, long stream) {
    ResidentBlock block = slot.resident;
    long[] places = slot.residentAt;
    if (block == null || places == null) {
      return;
    }
    slot.isCopiedAside = true;
    for (int o = 0; o < layout.outputs().size(); o++) {
      eachRun(slot, places, o, true, null, stream);
    }
    cuda.record(block.written, stream);
    cuda.record(slot.copiedAside, stream);
  }

  /** Enqueues a copy for each run of requests whose output stays, or does not. */
  private void eachRun(
      Slot slot, long[] places, int output, boolean staying, @Nullable Lease host, long stream) {
    int count = slot.requests.size();
    int item = 0;
    int firstItem = 0;
    long firstPlace = ON_HOST;
    boolean within = false;
    for (int r = 0; r <= count; r++) {
      long place = r < count ? places[output * count + r] : ON_HOST;
      boolean takes = r < count && (place != ON_HOST) == staying;
      if (takes && !within) {
        firstItem = item;
        firstPlace = place;
      } else if (!takes && within) {
        if (host == null) {
          copyAside(slot, output, firstItem, item, firstPlace, stream);
        } else {
          copyToHost(slot, host, output, firstItem, item, stream);
        }
      }
      within = takes;
      item += r < count ? slot.requests.get(r).batchSize() : 0;
    }
  }

  private void copyToHost(Slot slot, Lease host, int output, int from, int to, long stream) {
    long itemBytes = layout.outputItemBytes(output);
    cuda.copyToHost(
        host.address() + layout.hostOffset(output, slot.items) + from * itemBytes,
        slot.output(output) + from * itemBytes,
        (to - from) * itemBytes,
        stream);
  }

  private void copyAside(Slot slot, int output, int from, int to, long place, long stream) {
    ResidentBlock block = slot.resident;
    if (block != null) {
      long itemBytes = layout.outputItemBytes(output);
      cuda.copyOnDevice(
          block.address + place,
          slot.output(output) + from * itemBytes,
          (to - from) * itemBytes,
          stream);
    }
  }
}
