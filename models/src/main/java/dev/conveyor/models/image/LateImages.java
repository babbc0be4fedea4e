package dev.conveyor.models.image;

import dev.conveyor.models.LateBytes;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Images that become a tensor on the device that runs the batch, one by one, or on the host where
 * no device does it. Thread-safe; what {@link #jpeg} returns is there until this is closed.
 */
public final class LateImages implements LateBytes {

  private final EncodedImages shared;
  private final AtomicBoolean open = new AtomicBoolean(true);

  LateImages(EncodedImages shared) {
    this.shared = shared;
  }

  /** Returns the number of images. */
  public int count() {
    return shared.parts().size();
  }

  /** Returns the bytes that each of them becomes. */
  public int imageBytes() {
    return shared.imageBytes();
  }

  /** Returns an image, in native memory, for a device to decode; null if that is for the host. */
  public @Nullable DeviceJpeg jpeg(int index) {
    EncodedImages.Part part = shared.parts().get(index);
    ByteBuffer jpeg = part.jpeg();
    return jpeg == null
        ? null
        : new DeviceJpeg(jpeg, shared.preprocessor().config(), shared.size(), part.placement());
  }

  /**
   * Writes what an image becomes, made on the host. May take milliseconds.
   *
   * @throws dev.conveyor.models.InferenceException if it cannot be decoded
   */
  public void write(int index, ByteBuffer target, int offset) {
    shared.write(index, target, offset);
  }

  @Override
  public int sizeBytes() {
    return Math.multiplyExact(count(), imageBytes());
  }

  @Override
  public ByteBuffer onHost() {
    return shared.onHost();
  }

  @Override
  public ByteBuffer source() {
    return shared.source();
  }

  @Override
  public @Nullable LateBytes tryShare() {
    return open.get() && shared.tryHold() ? new LateImages(shared) : null;
  }

  @Override
  public void close() {
    if (open.compareAndSet(true, false)) {
      shared.leave();
    }
  }
}
