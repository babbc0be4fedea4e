package dev.conveyor.models.optimize.quantize;

import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.graph.Weights;
import org.jspecify.annotations.Nullable;

/**
 * Weights as signed 8-bit integers, symmetric, one scale per output channel.
 *
 * @param dims of the original
 * @param axis of the output channels
 */
@SuppressWarnings("ArrayRecordComponent") // Large, handed on, never compared.
record QuantizedWeights(byte[] values, long[] dims, int axis, float[] scales) {

  private static final double MAX_BIAS = Integer.MAX_VALUE - 1024.0;
  private static final float TINY = 1e-20f;

  /**
   * Quantises.
   *
   * @param largest integer to use: 127, or 64 where sums of two products would saturate
   * @param bias per channel, or null; a channel's scale is made coarse enough for it
   * @param inputScale of the activation that the weights are multiplied with
   */
  static QuantizedWeights of(
      TensorProto tensor, int axis, int largest, float @Nullable [] bias, float inputScale) {
    float[] real = Weights.floats(tensor);
    long[] dims = Weights.dims(tensor);
    int channels = (int) dims[axis];
    int inner = 1;
    for (int i = axis + 1; i < dims.length; i++) {
      inner *= (int) dims[i];
    }
    float[] scales = new float[channels];
    for (int i = 0; i < real.length; i++) {
      int channel = i / inner % channels;
      scales[channel] = Math.max(scales[channel], Math.abs(real[i]));
    }
    for (int c = 0; c < channels; c++) {
      scales[c] /= largest;
      if (bias != null) {
        float least = (float) (Math.abs(bias[c]) / (inputScale * MAX_BIAS));
        scales[c] = Math.max(scales[c], least);
      }
      if (!(scales[c] > TINY)) {
        scales[c] = 1e-8f;
      }
    }
    byte[] values = new byte[real.length];
    for (int i = 0; i < real.length; i++) {
      double quotient = Math.rint(real[i] / scales[i / inner % channels]);
      values[i] = (byte) Math.max(-largest, Math.min(largest, quotient));
    }
    return new QuantizedWeights(values, dims, axis, scales);
  }

  /** Returns a matrix with rows and columns exchanged. */
  QuantizedWeights transposed() {
    int rows = (int) dims[0];
    int columns = (int) dims[1];
    byte[] turned = new byte[values.length];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        turned[c * rows + r] = values[r * columns + c];
      }
    }
    return new QuantizedWeights(turned, new long[] {columns, rows}, 1 - axis, scales);
  }

  TensorProto tensor() {
    return Weights.raw(TensorProto.DataType.INT8, dims, values);
  }
}
