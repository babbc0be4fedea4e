package dev.conveyor.models.optimize.quantize;

/**
 * How a real number becomes an 8-bit integer: {@code round(x / scale) + zeroPoint}, cut off. Zero
 * is exact.
 *
 * @param signed whether integers run from -128, else from 0
 */
record Scale(float scale, int zeroPoint, boolean signed) {

  private static final float TINY = 1e-20f;

  /** Returns the scale of an activation. */
  static Scale of(Range range, Target target) {
    float min = Math.min(0, range.min());
    float max = Math.max(0, range.max());
    if (target == Target.TENSORRT) {
      float limit = Math.max(-min, max);
      return new Scale(limit > TINY ? limit / 127 : 1, 0, true);
    }
    float width = max - min;
    if (!(width > TINY)) {
      return new Scale(1, 0, false);
    }
    float scale = width / 255;
    return new Scale(scale, Math.round(-min / scale), false);
  }
}
