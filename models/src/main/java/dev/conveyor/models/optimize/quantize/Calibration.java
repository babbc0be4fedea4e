package dev.conveyor.models.optimize.quantize;

/** How the range of a value is chosen from what was seen of it. */
public enum Calibration {
  /** All of it. */
  MINMAX,
  /** All but a few outliers: 99.99 % of the values. */
  PERCENTILE,
  /** The threshold that loses the least information (Kullback-Leibler; Migacz, GTC 2017). */
  ENTROPY
}
