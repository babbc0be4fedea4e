package dev.conveyor.models.optimize;

import java.util.Locale;

/**
 * A way to make a model smaller or faster.
 *
 * @param share of weights or channels that go, for kinds that have one
 */
public record VariantKind(Way way, double share) {

  /** The ways there are. */
  public enum Way {
    /** Weights and computation in FP16, inputs and outputs as they were. */
    FP16,
    /** The same, inputs and outputs in FP16 too. */
    FP16_IO,
    /** Weights stored in BF16. */
    BF16,
    /** Static quantisation with calibration. */
    INT8,
    /** Matrix products in integers, ranges found at run time. */
    INT8_DYNAMIC,
    /** Weights of matrix products in integers. */
    INT8_WEIGHTS,
    /** Two of four weights zero. */
    SPARSE_2_4,
    /** A share of the weights zero. */
    UNSTRUCTURED,
    /** A share of the channels gone. */
    CHANNELS
  }

  /**
   * Reads for example {@code int8}, {@code sparse-2:4}, {@code channels:0.25}.
   *
   * @throws OptimizeException if it is none
   */
  public static VariantKind parse(String text) {
    String name = text.strip().toLowerCase(Locale.ROOT);
    return switch (name) {
      case "fp16" -> new VariantKind(Way.FP16, 0);
      case "fp16-io" -> new VariantKind(Way.FP16_IO, 0);
      case "bf16" -> new VariantKind(Way.BF16, 0);
      case "int8" -> new VariantKind(Way.INT8, 0);
      case "int8-dynamic" -> new VariantKind(Way.INT8_DYNAMIC, 0);
      case "int8-weights" -> new VariantKind(Way.INT8_WEIGHTS, 0);
      case "sparse-2:4" -> new VariantKind(Way.SPARSE_2_4, 0.5);
      default -> withShare(name);
    };
  }

  private static VariantKind withShare(String name) {
    String[] parts = name.split(":", 2);
    Way way =
        parts[0].equals("unstructured")
            ? Way.UNSTRUCTURED
            : parts[0].equals("channels") ? Way.CHANNELS : null;
    try {
      double share = parts.length == 2 ? Double.parseDouble(parts[1]) : Double.NaN;
      if (way != null && share > 0 && share < 1) {
        return new VariantKind(way, share);
      }
    } catch (NumberFormatException e) {
      // Falls through to the message that says what there is.
    }
    throw new OptimizeException(
        "unknown variant \"%s\", there is: fp16, fp16-io, bf16, int8, int8-dynamic, int8-weights,"
                .formatted(name)
            + " sparse-2:4, unstructured:SHARE, channels:SHARE, with a share between 0 and 1");
  }

  /** Returns the name that {@link #parse} reads. */
  public String label() {
    return switch (way) {
      case UNSTRUCTURED -> "unstructured:" + share;
      case CHANNELS -> "channels:" + share;
      case SPARSE_2_4 -> "sparse-2:4";
      case FP16, FP16_IO, BF16, INT8, INT8_DYNAMIC, INT8_WEIGHTS ->
          way.name().toLowerCase(Locale.ROOT).replace('_', '-');
    };
  }

  /** Returns whether it computes in FP16, which answers as FP32 does but for rounding. */
  boolean isHalf() {
    return way == Way.FP16 || way == Way.FP16_IO;
  }

  /** Returns whether it should be faster on a CPU; the others save bytes or suit other devices. */
  boolean isForSpeed() {
    return way == Way.INT8 || way == Way.INT8_DYNAMIC || way == Way.CHANNELS;
  }
}
