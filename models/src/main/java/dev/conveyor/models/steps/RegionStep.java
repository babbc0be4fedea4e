package dev.conveyor.models.steps;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.PriorityQueue;

/**
 * The connected parts of a mask, the largest first, as boxes in pixels of the image that the mask
 * belongs to: how many there are, so many rows.
 *
 * <p>Pixels are connected to their eight neighbours. Parts are found by flooding each from its
 * first pixel (Heckbert, Graphics Gems I), which looks at a pixel once.
 *
 * @param minArea parts that are a smaller share of the mask are left out
 * @param margin what {@code around} has more than a box on each side, as a share of its width and
 *     height
 * @param minSize least width and height of {@code around}, as a share of those of the image: crops
 *     of it show small parts at a scale that models know
 * @param max most parts
 */
record RegionStep(double minArea, double margin, double minSize, int max) implements Step {

  static Step of(StepSettings settings) {
    return new RegionStep(
        settings.number("min_area", 0, 1, 0.001),
        settings.number("margin", 0, 10, 0),
        settings.number("min_size", 0, 1, 0),
        settings.integer("max", 1, 65_536, 64));
  }

  /** A part: corners, the far ones exclusive, how many pixels it has, and which is its first. */
  private record Region(int x1, int y1, int x2, int y2, int pixels, int first) {}

  private static final Comparator<Region> LARGEST_FIRST =
      Comparator.comparingInt(Region::pixels).reversed().thenComparingInt(Region::first);

  @Override
  public List<String> inputs() {
    return List.of("mask", "size");
  }

  @Override
  public List<TensorSpec> outputs(List<TensorSpec> inputs) {
    Specs.require(inputs.get(0), DataType.UINT8, 3, 4);
    Specs.require(inputs.get(1), DataType.INT32, 2, 2);
    Specs.requireLast(inputs.get(1), 2);
    return List.of(
        new TensorSpec("boxes", DataType.FP32, Shape.of(-1, 4)),
        new TensorSpec("around", DataType.FP32, Shape.of(-1, 4)),
        new TensorSpec("area", DataType.FP32, Shape.of(-1, 1)));
  }

  @Override
  public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
    Tensor mask = inputs.get(0);
    Tensor size = inputs.get(1);
    if (mask.shape().dim(0) != 1 || size.shape().dim(0) != 1) {
      throw InferenceException.invalid(
          "mask %s and size %s must be of one image".formatted(mask.shape(), size.shape()));
    }
    int width = Specs.last(mask);
    int height = (int) mask.shape().dim(mask.shape().rank() - 2);
    List<Region> regions;
    try (Tensor seen = resources.tensor("seen", DataType.UINT8, mask.shape())) {
      regions = regions(mask.data(), seen.data(), width, height);
    }
    int count = regions.size();
    Tensor boxTensor = resources.tensor("boxes", DataType.FP32, Shape.of(count, 4));
    Tensor aroundTensor = resources.tensor("around", DataType.FP32, Shape.of(count, 4));
    Tensor areaTensor = resources.tensor("area", DataType.FP32, Shape.of(count, 1));
    ByteBuffer boxes = boxTensor.data();
    ByteBuffer around = aroundTensor.data();
    ByteBuffer area = areaTensor.data();
    float scaleX = (float) size.data().getInt(0) / width;
    float scaleY = (float) size.data().getInt(4) / height;
    for (int i = 0; i < count; i++) {
      Region region = regions.get(i);
      boxes.putFloat(16 * i, region.x1 * scaleX);
      boxes.putFloat(16 * i + 4, region.y1 * scaleY);
      boxes.putFloat(16 * i + 8, region.x2 * scaleX);
      boxes.putFloat(16 * i + 12, region.y2 * scaleY);
      widen(around, 16 * i, region.x1, region.x2, width, scaleX);
      widen(around, 16 * i + 4, region.y1, region.y2, height, scaleY);
      area.putFloat(4 * i, (float) region.pixels / (width * height));
    }
    return List.of(boxTensor, aroundTensor, areaTensor);
  }

  /** Writes one axis of a wider box, moved inwards where it would leave the image. */
  private void widen(ByteBuffer to, int offset, int from, int end, int size, float scale) {
    double length = Math.min(size, Math.max((end - from) * (1 + 2 * margin), minSize * size));
    double start = Math.max(0, Math.min(size - length, (from + end - length) / 2));
    to.putFloat(offset, (float) (start * scale));
    to.putFloat(offset + 8, (float) ((start + length) * scale));
  }

  private List<Region> regions(ByteBuffer mask, ByteBuffer seen, int width, int height) {
    PriorityQueue<Region> found = new PriorityQueue<>(LARGEST_FIRST.reversed());
    int pixels = width * height;
    for (int i = 0; i < pixels; i++) {
      if (mask.get(i) != 0 && seen.get(i) == 0) {
        Region region = flood(mask, seen, i, width, height);
        if (region.pixels >= minArea * pixels) {
          found.add(region);
          if (found.size() > max) {
            found.remove(); // the smallest, so that noise costs no memory
          }
        }
      }
    }
    List<Region> largest = new ArrayList<>(found);
    largest.sort(LARGEST_FIRST);
    return largest;
  }

  private static Region flood(ByteBuffer mask, ByteBuffer seen, int first, int width, int height) {
    Deque<Integer> open = new ArrayDeque<>();
    open.add(first);
    seen.put(first, (byte) 1);
    int[] bounds = {width, height, 0, 0};
    int pixels = 0;
    while (!open.isEmpty()) {
      int at = open.remove();
      int x = at % width;
      int y = at / width;
      pixels++;
      bounds[0] = Math.min(bounds[0], x);
      bounds[1] = Math.min(bounds[1], y);
      bounds[2] = Math.max(bounds[2], x + 1);
      bounds[3] = Math.max(bounds[3], y + 1);
      for (int ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (int nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          int next = ny * width + nx;
          if (mask.get(next) != 0 && seen.get(next) == 0) {
            seen.put(next, (byte) 1);
            open.add(next);
          }
        }
      }
    }
    return new Region(bounds[0], bounds[1], bounds[2], bounds[3], pixels, first);
  }
}
