package dev.conveyor.models;

import java.util.List;

/**
 * Boxes of images, each to be brought to one size: bilinear, pixel centres at halves, edges
 * repeated. Immutable.
 *
 * @param type UINT8 or FP32, of source and target
 * @param planes of each image, one after the other
 * @param sourceWidth of a plane, in pixels
 * @param sourceHeight of a plane, in pixels
 * @param width of a plane of the target, in pixels
 * @param height of a plane of the target, in pixels
 * @param boxes one of each image, in their order
 */
public record Crops(
    DataType type,
    int planes,
    int sourceWidth,
    int sourceHeight,
    int width,
    int height,
    List<Box> boxes)
    implements PixelWork {

  /** Corners in pixels of the source; they may reach beyond its edges. */
  public record Box(float left, float top, float right, float bottom) {}

  public Crops {
    boxes = List.copyOf(boxes);
  }

  /** Returns the bytes of one image of the source. */
  public long sourceImageBytes() {
    return (long) planes * sourceWidth * sourceHeight * type.sizeBytes();
  }

  @Override
  public long sourceBytes() {
    return boxes.size() * sourceImageBytes();
  }

  @Override
  public long targetBytes() {
    return boxes.size() * imageBytes();
  }

  /** Returns the bytes of one image of the target. */
  public long imageBytes() {
    return (long) planes * width * height * type.sizeBytes();
  }
}
