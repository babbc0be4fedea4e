package dev.conveyor.models.image;

import dev.conveyor.models.config.Preprocessing;
import java.nio.ByteBuffer;

/**
 * A JPEG that a decoder on a device makes the same pixels of as the one on the host, and what is to
 * be made of them.
 *
 * @param bytes of the file, between position and limit
 * @param config what is to be made of it, but for the size
 * @param size in pixels of what it becomes
 * @param placement where the image lies in that
 */
public record DeviceJpeg(
    ByteBuffer bytes, Preprocessing config, Preprocessing.Size size, Placement placement) {

  /** Returns how many bytes it becomes. */
  public long targetBytes() {
    return (long) size.width()
        * size.height()
        * config.color().channels()
        * config.dataType().sizeBytes();
  }

  /** Returns the same image in other memory. */
  public DeviceJpeg in(ByteBuffer copy) {
    return new DeviceJpeg(copy, config, size, placement);
  }
}
