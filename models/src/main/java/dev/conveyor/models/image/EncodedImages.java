package dev.conveyor.models.image;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.Preprocessing.Size;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * The encoded images of a tensor, and those that were made on the host so far. Thread-safe; lives
 * until the last {@link LateImages} of it is closed.
 */
final class EncodedImages {

  private final ImagePreprocessor preprocessor;
  private final Size size;
  private final List<Part> parts;
  private final Tensor encoded;
  private final NativeCopies copies;
  private final LongFunction<Lease> memory;

  @GuardedBy("this")
  private final boolean[] made;

  @GuardedBy("this")
  private @Nullable Lease host;

  @GuardedBy("this")
  private int holders = 1;

  /**
   * One image.
   *
   * @param jpeg in native memory, if a device may decode it
   * @param bytes as they came
   * @param placement in the model's input
   */
  record Part(@Nullable ByteBuffer jpeg, ByteBuffer bytes, Placement placement) {}

  /**
   * Takes {@code encoded} over with the first {@link LateImages}.
   *
   * @param copies memory of those parts that are copies, taken over too
   * @param memory lends so many bytes for what is made on the host
   */
  EncodedImages(
      ImagePreprocessor preprocessor,
      Size size,
      List<Part> parts,
      Tensor encoded,
      NativeCopies copies,
      LongFunction<Lease> memory) {
    this.preprocessor = preprocessor;
    this.size = size;
    this.parts = List.copyOf(parts);
    this.encoded = encoded;
    this.copies = copies;
    this.memory = memory;
    this.made = new boolean[parts.size()];
  }

  ImagePreprocessor preprocessor() {
    return preprocessor;
  }

  Size size() {
    return size;
  }

  List<Part> parts() {
    return parts;
  }

  ByteBuffer source() {
    return encoded.data();
  }

  int imageBytes() {
    return preprocessor.outputBytes(size);
  }

  /** Makes an image on the host that no device decodes. */
  synchronized void makeUnlessLate(int index) {
    if (parts.get(index).jpeg() == null) {
      make(index);
    }
  }

  /** Makes all that are not there yet. */
  synchronized ByteBuffer onHost() {
    for (int i = 0; i < parts.size(); i++) {
      make(i);
    }
    return lease().buffer();
  }

  /** Writes one image, copied if it is there already. */
  void write(int index, ByteBuffer target, int offset) {
    synchronized (this) {
      if (made[index]) {
        target.put(offset, lease().buffer(), index * imageBytes(), imageBytes());
        return;
      }
    }
    Placement unused = preprocessor.process(parts.get(index).bytes(), size, target, offset);
  }

  @GuardedBy("this")
  private void make(int index) {
    if (!made[index]) {
      Placement unused =
          preprocessor.process(
              parts.get(index).bytes(), size, lease().buffer(), index * imageBytes());
      made[index] = true;
    }
  }

  @GuardedBy("this")
  private Lease lease() {
    Lease there = host;
    if (there == null) {
      there = memory.apply((long) parts.size() * imageBytes());
      host = there;
    }
    return there;
  }

  /** Returns whether there is one holder more; there is not after the last one has left. */
  synchronized boolean tryHold() {
    if (holders == 0) {
      return false;
    }
    holders++;
    return true;
  }

  /** Gives everything back with the last holder. */
  synchronized void leave() {
    if (--holders == 0) {
      encoded.close();
      forget();
    }
  }

  /** Gives back what is beside the encoded images. */
  synchronized void forget() {
    copies.close();
    Lease there = host;
    host = null;
    if (there != null) {
      there.close();
    }
  }
}
