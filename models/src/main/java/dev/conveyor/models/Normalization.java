package dev.conveyor.models;

import java.util.List;

/**
 * Numbers of images as floats, {@code (x - mean) * scale}, each in single precision. Immutable.
 *
 * @param type UINT8 or FP32, of the source; the target is FP32
 * @param numbers of all images
 * @param plane numbers of a channel that are behind each other, before those of the next
 * @param channels of an image
 * @param mean by channel, or one for all
 * @param scale likewise
 */
public record Normalization(
    DataType type, long numbers, int plane, int channels, List<Float> mean, List<Float> scale)
    implements PixelWork {

  public Normalization {
    mean = List.copyOf(mean);
    scale = List.copyOf(scale);
  }

  @Override
  public long sourceBytes() {
    return numbers * type.sizeBytes();
  }

  @Override
  public long targetBytes() {
    return numbers * DataType.FP32.sizeBytes();
  }
}
