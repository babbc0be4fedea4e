package dev.conveyor.models.optimize.precision;

/** 16-bit floats, as the lower bits of a short. Rounds to nearest, ties to even. Stateless. */
public final class Float16 {

  /** The largest finite half. */
  public static final float HALF_MAX = 65504f;

  private Float16() {}

  /** Returns IEEE 754 binary16; infinite from 65520 on. */
  public static short toHalf(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = (bits >>> 16) & 0x8000;
    int magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) {
      return (short) (sign | 0x7e00);
    }
    if (magnitude >= 0x477ff000) {
      return (short) (sign | 0x7c00);
    }
    if (magnitude < 0x38800000) {
      // Subnormal: units of 2^-24, and rint rounds ties to even.
      return (short) (sign | (int) Math.rint(Math.abs(value) * 0x1p24));
    }
    int rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return (short) (sign | ((rounded - 0x38000000) >>> 13));
  }

  /** Returns the value of IEEE 754 binary16. */
  public static float fromHalf(short half) {
    int magnitude = half & 0x7fff;
    float sign = half < 0 ? -1f : 1f;
    if (magnitude >= 0x7c00) {
      return magnitude == 0x7c00 ? sign * Float.POSITIVE_INFINITY : Float.NaN;
    }
    if (magnitude < 0x400) {
      return sign * magnitude * 0x1p-24f;
    }
    return sign * Float.intBitsToFloat((magnitude << 13) + 0x38000000);
  }

  /** Returns the upper half of a binary32, rounded. */
  public static short toBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) ((bits >>> 16) | 0x40);
    }
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }

  /** Returns the value of a bfloat16. */
  public static float fromBfloat16(short brain) {
    return Float.intBitsToFloat(brain << 16);
  }
}
