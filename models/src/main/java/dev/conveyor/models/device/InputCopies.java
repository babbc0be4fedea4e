package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.Slices;
import dev.conveyor.models.image.DeviceJpeg;
import dev.conveyor.models.image.LateImages;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Copies the inputs of the requests of a batch to their places in the batch, on the device.
 *
 * <p>Not thread-safe: owned by the submitting thread. What lies in pinned memory is copied from
 * where it is, one copy per request. The rest is gathered in the slot's staging memory first;
 * neighbours that are gathered go in one copy. What lies on a device is copied from there. Encoded
 * images are decoded on the device, those that it refuses on the host, one by one.
 */
final class InputCopies {

  private final Cuda cuda;
  private final @Nullable DeviceImages images;
  private final @Nullable ResidentPool residents;

  /**
   * Creates it.
   *
   * @param images decodes on the device; null to have images made on the host, here
   * @param residents memory of this device for tensors between steps; null if there are none
   */
  InputCopies(Cuda cuda, @Nullable DeviceImages images, @Nullable ResidentPool residents) {
    this.cuda = cuda;
    this.images = images;
    this.residents = residents;
  }

  /** Enqueues the copies of one input of the slot's batch. */
  void enqueue(Slot slot, int input, long stream) {
    List<? extends BatchRequest> requests = slot.requests;
    check(slot, input, Slices.gatheredBytes(requests, input));
    long target = slot.input(input);
    int stagingOffset = Math.toIntExact(slot.layout().inputOffset(input));
    int at = 0;
    int gatheredFrom = 0;
    for (int r = 0; r < requests.size(); r++) {
      Tensor tensor = requests.get(r).inputs().get(input);
      int bytes = tensor.sizeBytes();
      if (tensor.lateBytes() instanceof LateImages late) {
        gatheredFrom = decode(slot, late, target, stagingOffset, gatheredFrom, at, stream);
        at += bytes;
        continue;
      }
      if (tensor.lateBytes() instanceof ResidentBytes resident
          && read(slot, resident, target + at, stream)) {
        flush(slot, target, stagingOffset, gatheredFrom, at, stream);
        at += bytes;
        gatheredFrom = at;
        continue;
      }
      long pinned = tensor.pinnedAddress();
      if (pinned == 0) {
        slot.staging().put(stagingOffset + at, tensor.data(), 0, bytes);
      } else {
        flush(slot, target, stagingOffset, gatheredFrom, at, stream);
        cuda.copyToDevice(target + at, pinned, bytes, stream);
        gatheredFrom = at + bytes;
      }
      at += bytes;
    }
    flush(slot, target, stagingOffset, gatheredFrom, at, stream);
  }

  /**
   * Copies what lies on this device or on another, behind what was written to it there. Returns
   * false if it has to be read on the host.
   */
  private boolean read(Slot slot, ResidentBytes bytes, long target, long stream) {
    ResidentPool here = residents;
    if (here == null) {
      return false;
    }
    ResidentBytes held = bytes.tryShare();
    if (held == null) {
      throw new IllegalStateException("an input was closed before its batch was over");
    }
    ResidentBytes before = slot.reads.isEmpty() ? null : slot.reads.get(slot.reads.size() - 1);
    slot.reads.add(held);
    boolean first = before == null || before.block() != held.block();
    if (held.block().pool() != here) {
      return here.peers().tryEnqueue(held, first, target, stream);
    }
    if (first) {
      cuda.waitFor(held.block().written, stream);
    }
    cuda.copyOnDevice(target, held.address(), held.sizeBytes(), stream);
    return true;
  }

  /** Returns from where on what was gathered is not copied yet. */
  private int decode(
      Slot slot,
      LateImages late,
      long target,
      int stagingOffset,
      int gatheredFrom,
      int from,
      long stream) {
    int uncopied = gatheredFrom;
    int at = from;
    for (int i = 0; i < late.count(); i++) {
      DeviceJpeg jpeg = images == null ? null : late.jpeg(i);
      if (images != null && jpeg != null && images.enqueue(jpeg, target + at)) {
        flush(slot, target, stagingOffset, uncopied, at, stream);
        uncopied = at + late.imageBytes();
      } else {
        late.write(i, slot.staging(), stagingOffset + at);
      }
      at += late.imageBytes();
    }
    return uncopied;
  }

  private void flush(Slot slot, long target, int stagingOffset, int from, int to, long stream) {
    if (to > from) {
      cuda.copyToDevice(
          target + from, slot.stagingAddress() + stagingOffset + from, to - from, stream);
    }
  }

  /** Before anything is written past the end. */
  private void check(Slot slot, int input, long bytes) {
    long expected = slot.layout().inputItemBytes(input) * slot.items;
    if (bytes != expected) {
      throw new IllegalStateException(
          "input '%s' of a batch of %d has %d bytes, expected %d"
              .formatted(slot.layout().inputs().get(input).name(), slot.items, bytes, expected));
    }
  }
}
