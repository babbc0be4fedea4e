package dev.conveyor.models.steps;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A large image through a model for small ones: tiles that overlap, and what the model says of them
 * put together again. Stateless.
 */
final class TileSteps {

  private TileSteps() {}

  /**
   * Tiles of {@code width} x {@code height}, row by row, at least {@code overlap} pixels common to
   * neighbours; the last of a row ends at the edge. Beyond an image that is smaller lies 0.
   */
  static Step tile(StepSettings settings) {
    int width = Specs.size(settings, "width");
    int height = Specs.size(settings, "height");
    int overlap = settings.integer("overlap", 0, 65_534, 0);
    if (overlap >= Math.min(width, height)) {
      throw settings.refusal("overlap", "less than the side of a tile", overlap);
    }
    return new FunctionStep(
        List.of("image"),
        specs -> {
          TensorSpec image = specs.get(0);
          Specs.requireImage(image);
          if (image.shape().dim(0) > 1) {
            throw new ConfigException("input_map.image", "one image", image.shape());
          }
          Shape tiles = Shape.of(Shape.DYNAMIC, image.shape().dim(1), height, width);
          return List.of(
              new TensorSpec("tiles", image.type(), tiles),
              new TensorSpec("origins", DataType.INT32, Shape.of(Shape.DYNAMIC, 2)),
              new TensorSpec("size", DataType.INT32, Shape.of(1, 2)));
        },
        (tensors, resources) -> tile(tensors.get(0), width, height, overlap, resources));
  }

  /** Returns where tiles begin along one side. */
  static int[] origins(int side, int tile, int overlap) {
    int count = side <= tile ? 1 : 1 + (side - tile + tile - overlap - 1) / (tile - overlap);
    int[] origins = new int[count];
    for (int i = 0; i < count; i++) {
      origins[i] = Math.max(0, Math.min(i * (tile - overlap), side - tile));
    }
    return origins;
  }

  private static List<Tensor> tile(
      Tensor image, int width, int height, int overlap, StepResources resources) {
    Specs.requireRows(image, 1);
    int planes = (int) image.shape().dim(1);
    int imageHeight = (int) image.shape().dim(2);
    int imageWidth = (int) image.shape().dim(3);
    int[] xs = origins(imageWidth, width, overlap);
    int[] ys = origins(imageHeight, height, overlap);
    int count = xs.length * ys.length;
    int unit = image.type().sizeBytes();
    Shape shape = Shape.of(count, planes, height, width);
    Tensor tiles = resources.tensor("tiles", image.type(), shape);
    Tensor origins = resources.tensor("origins", DataType.INT32, Shape.of(count, 2));
    int rowBytes = Math.min(width, imageWidth) * unit;
    for (int t = 0; t < count; t++) {
      int x = xs[t % xs.length];
      int y = ys[t / xs.length];
      origins.data().putInt(8 * t, x).putInt(8 * t + 4, y);
      for (int plane = 0; plane < planes; plane++) {
        for (int row = 0; row < Math.min(height, imageHeight); row++) {
          int from = ((plane * imageHeight + y + row) * imageWidth + x) * unit;
          int to = ((t * planes + plane) * height + row) * width * unit;
          tiles.data().put(to, image.data(), from, rowBytes);
        }
      }
    }
    Tensor size = resources.tensor("size", DataType.INT32, Shape.of(1, 2));
    size.data().putInt(0, imageWidth).putInt(4, imageHeight);
    return List.of(tiles, origins, size);
  }

  /**
   * One picture of tiles of numbers; where tiles overlap, their mean, weighted by the distance from
   * the edge of the tile, so that no seam shows.
   */
  static Step stitch() {
    return new FunctionStep(
        List.of("tiles", "origins", "size"),
        specs -> {
          Specs.require(specs.get(0), DataType.FP32, 4, 4);
          requirePlaces(specs.get(1), specs.get(2));
          Shape shape = Shape.of(1, specs.get(0).shape().dim(1), Shape.DYNAMIC, Shape.DYNAMIC);
          return List.of(new TensorSpec("image", DataType.FP32, shape));
        },
        TileSteps::stitch);
  }

  private static void requirePlaces(TensorSpec origins, TensorSpec size) {
    Specs.require(origins, DataType.INT32, 2, 2);
    Specs.requireLast(origins, 2);
    Specs.require(size, DataType.INT32, 2, 2);
    Specs.requireLast(size, 2);
  }

  private static List<Tensor> stitch(List<Tensor> inputs, StepResources resources) {
    Tensor tiles = inputs.get(0);
    ByteBuffer origins = inputs.get(1).data();
    Specs.requireRows(inputs.get(1), tiles.shape().dim(0));
    Specs.requireRows(inputs.get(2), 1);
    int imageWidth = inputs.get(2).data().getInt(0);
    int imageHeight = inputs.get(2).data().getInt(4);
    Shape shape =
        Shape.of(1, tiles.shape().dim(1), Math.max(0, imageHeight), Math.max(0, imageWidth));
    Tensor image = resources.tensor("image", DataType.FP32, shape);
    Shape plane = Shape.of(shape.dim(2), shape.dim(3));
    try (Tensor weights = resources.tensor("weights", DataType.FP32, plane)) {
      for (int t = 0; t < tiles.shape().dim(0); t++) {
        int x = origins.getInt(8 * t);
        int y = origins.getInt(8 * t + 4);
        requireInside(t, x, y, tiles.shape(), shape);
        add(tiles, t, x, y, image, weights);
      }
      requireCovered(weights, tiles.shape());
    }
    return List.of(image);
  }

  private static void add(Tensor tiles, int t, int x0, int y0, Tensor image, Tensor weights) {
    int planes = (int) tiles.shape().dim(1);
    int height = (int) tiles.shape().dim(2);
    int width = (int) tiles.shape().dim(3);
    int imageHeight = (int) image.shape().dim(2);
    int imageWidth = (int) image.shape().dim(3);
    ByteBuffer out = image.data();
    for (int y = 0; y < Math.min(height, imageHeight - y0); y++) {
      for (int x = 0; x < Math.min(width, imageWidth - x0); x++) {
        float weight = Math.min(x + 1, width - x) * (float) Math.min(y + 1, height - y);
        int pixel = (y0 + y) * imageWidth + x0 + x;
        float sum = weights.data().getFloat(4 * pixel) + weight;
        weights.data().putFloat(4 * pixel, sum);
        for (int plane = 0; plane < planes; plane++) {
          int at = 4 * (plane * imageWidth * imageHeight + pixel);
          float value =
              tiles.data().getFloat(4 * (((t * planes + plane) * height + y) * width + x));
          float before = out.getFloat(at);
          // Not a rounded product where nothing overlaps.
          boolean alone = sum == weight;
          out.putFloat(at, alone ? value : before + (value - before) * weight / sum);
        }
      }
    }
  }

  /** A tile of {@link #tile} reaches beyond an edge only where the image is smaller than a tile. */
  private static void requireInside(int tile, int x, int y, Shape tiles, Shape image) {
    long right = image.dim(3) - x;
    long below = image.dim(2) - y;
    if (x < 0
        || y < 0
        || right <= 0
        || below <= 0
        || (x > 0 && right < tiles.dim(3))
        || (y > 0 && below < tiles.dim(2))) {
      throw InferenceException.invalid(
          "tile %d of %d x %d lies at %d, %d, outside of %d x %d"
              .formatted(tile, tiles.dim(3), tiles.dim(2), x, y, image.dim(3), image.dim(2)));
    }
  }

  private static void requireCovered(Tensor weights, Shape tiles) {
    long imageWidth = weights.shape().dim(1);
    for (int pixel = 0; pixel < weights.sizeBytes() / 4; pixel++) {
      if (weights.data().getFloat(4 * pixel) == 0) {
        throw InferenceException.invalid(
            "no tile covers the pixel %d, %d: %d tiles of %d x %d; what a model makes smaller than "
                    .formatted(
                        pixel % imageWidth,
                        pixel / imageWidth,
                        tiles.dim(0),
                        tiles.dim(3),
                        tiles.dim(2))
                + "its tile has to be resized to it");
      }
    }
  }

  /** Boxes and scores of all tiles as those of one image, to go to {@code nms}. */
  static Step stitchBoxes() {
    return new FunctionStep(
        List.of("boxes", "scores", "origins"),
        specs -> {
          Specs.require(specs.get(0), DataType.FP32, 3, 3);
          Specs.requireLast(specs.get(0), 4);
          Specs.require(specs.get(1), DataType.FP32, 3, 3);
          Specs.require(specs.get(2), DataType.INT32, 2, 2);
          Specs.requireLast(specs.get(2), 2);
          return List.of(
              new TensorSpec("boxes", DataType.FP32, Shape.of(1, Shape.DYNAMIC, 4)),
              new TensorSpec(
                  "scores",
                  DataType.FP32,
                  Shape.of(1, Shape.DYNAMIC, specs.get(1).shape().dim(2))));
        },
        TileSteps::stitchBoxes);
  }

  private static List<Tensor> stitchBoxes(List<Tensor> inputs, StepResources resources) {
    Tensor boxes = inputs.get(0);
    Tensor scores = inputs.get(1);
    Specs.requireRows(scores, boxes.shape().dim(0));
    Specs.requireRows(inputs.get(2), boxes.shape().dim(0));
    long each = boxes.shape().dim(1);
    if (scores.shape().dim(1) != each) {
      throw InferenceException.invalid(
          "boxes %s and scores %s are not of the same detections"
              .formatted(boxes.shape(), scores.shape()));
    }
    Shape shape = Shape.of(1, boxes.shape().dim(0) * each, 4);
    Tensor moved = resources.tensor("boxes", DataType.FP32, shape);
    for (int i = 0; i < moved.sizeBytes() / 4; i++) {
      int tile = (int) (i / (4 * each));
      moved
          .data()
          .putFloat(
              4 * i,
              boxes.data().getFloat(4 * i) + inputs.get(2).data().getInt(8 * tile + 4 * (i % 2)));
    }
    Shape flat = Shape.of(1, shape.dim(1), scores.shape().dim(2));
    Tensor copy = resources.tensor("scores", DataType.FP32, flat);
    copy.data().put(0, scores.data(), 0, copy.sizeBytes());
    return List.of(moved, copy);
  }
}
