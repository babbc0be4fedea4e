package dev.conveyor.models.optimize.quantize;

/** Whose kernels the quantised model is written for. */
public enum Target {
  /** Unsigned activations with a zero point, signed weights per channel: VNNI's vpdpbusd. */
  CPU,
  /** Signed and symmetric throughout, biases in float: what TensorRT's explicit mode takes. */
  TENSORRT
}
