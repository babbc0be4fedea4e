package dev.conveyor.verticles.bench.suite;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.Sample;
import dev.conveyor.models.optimize.data.Truth;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Random;

/**
 * Other pictures out of a few: parts of them at random places, in random sizes, brightnesses and
 * half of them mirrored, the same ones every time. None is a whole picture as it was, so that the
 * whole ones can be measured on.
 *
 * <p>Not thread-safe: used by the thread that works with the model.
 */
final class PhotoCrops implements DataSet {

  private static final int CHANNELS = 3;
  private static final double SMALLEST = 0.4;
  private static final double LARGEST = 0.9;
  private static final double DARKEST = 0.7;
  private static final double BRIGHTEST = 1.3;

  private final DataSet photos;
  private final int perPhoto;
  private final int height;
  private final int width;
  private final float black;
  private final float white;

  /**
   * Creates them.
   *
   * @param photos with one input [1, 3, H, W] in FP32, best larger than the crops
   * @param height of a crop in pixels
   * @param black what the preprocessing makes of a value of 0, {@code white} of 255
   */
  PhotoCrops(DataSet photos, int perPhoto, int height, int width, float black, float white) {
    this.photos = photos;
    this.perPhoto = perPhoto;
    this.height = height;
    this.width = width;
    this.black = black;
    this.white = white;
  }

  @Override
  public int size() {
    return photos.size() * perPhoto;
  }

  @Override
  public Sample sample(int index) {
    Sample photo = photos.sample(index % photos.size());
    Tensor whole = photo.inputs().get(0);
    int wholeHeight = (int) whole.shape().dim(2);
    int wholeWidth = (int) whole.shape().dim(3);
    Random random = new Random(index);
    double size = SMALLEST + (LARGEST - SMALLEST) * random.nextDouble();
    double top = (1 - size) * random.nextDouble() * (wholeHeight - 1);
    double left = (1 - size) * random.nextDouble() * (wholeWidth - 1);
    double light = DARKEST + (BRIGHTEST - DARKEST) * random.nextDouble();
    boolean mirrored = random.nextBoolean();
    ByteBuffer crop =
        ByteBuffer.allocate(CHANNELS * height * width * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int c = 0; c < CHANNELS; c++) {
      int plane = c * wholeHeight * wholeWidth;
      for (int y = 0; y < height; y++) {
        double fromY = top + size * (wholeHeight - 1) * y / (height - 1);
        for (int x = 0; x < width; x++) {
          int across = mirrored ? width - 1 - x : x;
          double fromX = left + size * (wholeWidth - 1) * across / (width - 1);
          double value = between(whole.data(), plane, wholeHeight, wholeWidth, fromY, fromX);
          crop.putFloat((float) Math.min(white, black + light * (value - black)));
        }
      }
    }
    Tensor tensor =
        Tensor.of(whole.name(), DataType.FP32, Shape.of(1, CHANNELS, height, width), crop.flip());
    return new Sample(photo.name() + " crop " + index, List.of(tensor), Truth.NONE);
  }

  /** Interpolates bilinearly. */
  private static double between(
      ByteBuffer data, int plane, int height, int width, double y, double x) {
    int y0 = Math.min((int) y, height - 2);
    int x0 = Math.min((int) x, width - 2);
    double down = y - y0;
    double right = x - x0;
    int at = plane + y0 * width + x0;
    double above = at(data, at) * (1 - right) + at(data, at + 1) * right;
    double below = at(data, at + width) * (1 - right) + at(data, at + width + 1) * right;
    return above * (1 - down) + below * down;
  }

  private static double at(ByteBuffer data, int index) {
    return data.getFloat(index * Float.BYTES);
  }
}
