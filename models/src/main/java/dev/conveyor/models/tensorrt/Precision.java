package dev.conveyor.models.tensorrt;

import java.util.Locale;
import java.util.Optional;

/** The arithmetic that an engine may use. What a mode allows is in addition to single precision. */
enum Precision {
  /** Single precision, nothing less. */
  FP32,
  /** Single precision whose products are rounded to 10 bits of mantissa, on tensor cores. */
  TF32,
  FP16,
  BF16,
  /** 8-bit integers where the file has Q/DQ pairs, or everywhere after calibration; else FP16. */
  INT8,
  /** 8-bit floating point where the file has Q/DQ pairs; else FP16. */
  FP8;

  static Optional<Precision> find(String name) {
    for (Precision precision : values()) {
      if (precision.name().equals(name.toUpperCase(Locale.ROOT))) {
        return Optional.of(precision);
      }
    }
    return Optional.empty();
  }
}
