package dev.conveyor.models.optimize.quantize;

import org.jspecify.annotations.Nullable;

/**
 * Takes out of a layer's bias what rounding its weights adds to the mean of each result channel. A
 * few weights of a depthwise convolution rarely round to nothing on average, and every later layer
 * passes that on. After Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
 * Correction" (ICCV 2019), section 4.2, with means from data; zeros around a picture are not
 * counted. Stateless.
 */
final class BiasCorrection {

  private BiasCorrection() {}

  /**
   * Returns the corrected bias.
   *
   * @param real weights, output channels first or, with {@code axis} 1, last
   * @param quantised the same, rounded
   * @param groups of a convolution; else 1
   * @param means of the channels of what the layer reads
   * @param bias null if the layer has none
   */
  static float[] corrected(
      float[] real,
      QuantizedWeights quantised,
      int groups,
      double[] means,
      float @Nullable [] bias) {
    int outputs = quantised.scales().length;
    float[] corrected = bias == null ? new float[outputs] : bias.clone();
    int each = real.length / outputs;
    int channels = means.length / groups;
    int taps = Math.max(1, each / Math.max(1, channels));
    if (channels * taps != each) {
      return corrected;
    }
    for (int o = 0; o < outputs; o++) {
      int first = o / (outputs / groups) * channels;
      double shift = 0;
      for (int k = 0; k < each; k++) {
        int at = quantised.axis() == 0 ? o * each + k : k * outputs + o;
        double error = quantised.values()[at] * (double) quantised.scales()[o] - real[at];
        shift += error * means[first + k / taps];
      }
      corrected[o] -= (float) shift;
    }
    return corrected;
  }
}
