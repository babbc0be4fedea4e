package dev.conveyor.models.config;

import dev.conveyor.models.DataType;
import java.util.List;

/**
 * How encoded images become one input tensor: decode, fit to {@code height x width}, then per
 * channel {@code (pixel - mean) * scale} with pixels from 0 to 255.
 *
 * @param input name of the model input that takes images
 * @param mean per channel in {@code color} order; empty means 0
 * @param scale per channel in {@code color} order; empty means 1
 * @param padValue pixel value around a letterboxed image
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
    int padValue) {

  /** How an image of another size is fitted. Both interpolate bilinearly. */
  public enum Mode {
    /** Stretch to the target size. */
    RESIZE,
    /** Keep the aspect ratio, centre, pad. */
    LETTERBOX
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

  public Preprocessing {
    mean = List.copyOf(mean);
    scale = List.copyOf(scale);
    if (input.isEmpty()) {
      throw new ConfigException("input", "the name of a model input", "nothing");
    }
    requirePositive("height", height);
    requirePositive("width", width);
    requireChannels("mean", mean, color);
    requireChannels("scale", scale, color);
    if (dataType != DataType.FP32 && dataType != DataType.UINT8) {
      throw new ConfigException("data_type", "TYPE_FP32 or TYPE_UINT8", dataType.configName());
    }
    if (padValue < 0 || padValue > 255) {
      throw new ConfigException("pad_value", "0 to 255", padValue);
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
