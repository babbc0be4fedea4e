package dev.conveyor.models.config;

import dev.conveyor.models.DataType;
import java.util.List;

/**
 * How encoded images become one input tensor: decode, fit to {@code height x width} or to one of
 * several sizes, then per channel {@code (pixel - mean) * scale} with pixels from 0 to 255.
 *
 * @param input name of the model input that takes images
 * @param height 0 if there are {@code sizes}; {@code width} likewise
 * @param mean per channel in {@code color} order; empty means 0
 * @param scale per channel in {@code color} order; empty means 1
 * @param padValue pixel value around an image
 * @param sizes what images are brought to, the one of them that wastes least; empty for one size
 * @param boxes outputs that are brought to the coordinates of the image that was sent
 * @param device where images are decoded and brought to their size
 */
public record Preprocessing(
    String input,
    Mode mode,
    int height,
    int width,
    Color color,
    Layout layout,
    DataType dataType,
    List<Double> mean,
    List<Double> scale,
    int padValue,
    List<Size> sizes,
    List<Boxes> boxes,
    Device device) {

  private static final int MAX_SIZES = 32;
  private static final int MAX_SIDE = 65_535;

  /** Pixels. */
  public record Size(int width, int height) {

    /** Returns the number of pixels. */
    public long area() {
      return (long) width * height;
    }
  }

  /** An output of boxes, the corners x1, y1, x2, y2 in its last dimension. */
  public record Boxes(String output, Units units) {

    /** What the model's corners count. */
    public enum Units {
      /** Pixels of the input. */
      PIXELS,
      /** Shares of the input's width and height. */
      NORMALIZED
    }
  }

  /** How an image of another size is fitted. Both interpolate bilinearly. */
  public enum Mode {
    /** Stretch to the target size. */
    RESIZE,
    /** Keep the aspect ratio, centre, pad. */
    LETTERBOX,
    /** Leave it as it is in the upper left corner, pad; made smaller only if it does not fit. */
    PAD
  }

  /** Where images become tensors. */
  public enum Device {
    CPU,
    /** On the GPU that runs the batch; it is an error if that cannot be. */
    GPU,
    /** On the GPU that runs the batch if it can, otherwise on the CPU. */
    AUTO
  }

  /** Order of the channels. */
  public enum Color {
    RGB(3),
    BGR(3),
    GRAY(1);

    private final int channels;

    Color(int channels) {
      this.channels = channels;
    }

    public int channels() {
      return channels;
    }
  }

  /** Order of the dimensions. */
  public enum Layout {
    NCHW,
    NHWC
  }

  /** Describes work of the CPU. */
  public Preprocessing(
      String input,
      Mode mode,
      int height,
      int width,
      Color color,
      Layout layout,
      DataType dataType,
      List<Double> mean,
      List<Double> scale,
      int padValue,
      List<Size> sizes,
      List<Boxes> boxes) {
    this(
        input,
        mode,
        height,
        width,
        color,
        layout,
        dataType,
        mean,
        scale,
        padValue,
        sizes,
        boxes,
        Device.CPU);
  }

  /** Describes one size, no boxes, and work of the CPU. */
  public Preprocessing(
      String input,
      Mode mode,
      int height,
      int width,
      Color color,
      Layout layout,
      DataType dataType,
      List<Double> mean,
      List<Double> scale,
      int padValue) {
    this(
        input, mode, height, width, color, layout, dataType, mean, scale, padValue, List.of(),
        List.of());
  }

  public Preprocessing {
    mean = List.copyOf(mean);
    scale = List.copyOf(scale);
    sizes = List.copyOf(sizes);
    boxes = List.copyOf(boxes);
    if (input.isEmpty()) {
      throw new ConfigException("input", "the name of a model input", "nothing");
    }
    if (sizes.isEmpty()) {
      requirePositive("height", height);
      requirePositive("width", width);
    } else {
      requireSizes(sizes, height, width);
    }
    requireChannels("mean", mean, color);
    requireChannels("scale", scale, color);
    if (dataType != DataType.FP32 && dataType != DataType.UINT8) {
      throw new ConfigException("data_type", "TYPE_FP32 or TYPE_UINT8", dataType.configName());
    }
    if (padValue < 0 || padValue > 255) {
      throw new ConfigException("pad_value", "0 to 255", padValue);
    }
  }

  /** Returns the sizes, also where there is only one. */
  public List<Size> allSizes() {
    return sizes.isEmpty() ? List.of(new Size(width, height)) : sizes;
  }

  private static void requireSizes(List<Size> sizes, int height, int width) {
    if (height != 0 || width != 0) {
      throw new ConfigException("sizes", "either sizes, or height and width");
    }
    if (sizes.size() > MAX_SIZES) {
      throw new ConfigException("sizes", "at most " + MAX_SIZES, sizes.size());
    }
    for (int i = 0; i < sizes.size(); i++) {
      requireSide("sizes[" + i + "].width", sizes.get(i).width());
      requireSide("sizes[" + i + "].height", sizes.get(i).height());
    }
  }

  private static void requireSide(String key, int value) {
    if (value < 1 || value > MAX_SIDE) {
      throw new ConfigException(key, "1 to " + MAX_SIDE, value);
    }
  }

  private static void requirePositive(String key, int value) {
    if (value < 1) {
      throw new ConfigException(key, "1 or more", value);
    }
  }

  private static void requireChannels(String key, List<Double> values, Color color) {
    if (!values.isEmpty() && values.size() != color.channels()) {
      throw new ConfigException(key, color.channels() + " values for " + color, values.size());
    }
  }
}
