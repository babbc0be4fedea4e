package dev.conveyor.models.config;

/**
 * Between how many instances a model moves with its load.
 *
 * @param min 0, as {@code max}, for as many instances as the instance groups say, always
 */
public record InstanceRange(int min, int max) {

  /** Instances do not come and go. */
  public static final InstanceRange FIXED = new InstanceRange(0, 0);

  /** More than any machine has use for; a larger number is a slip of the pen. */
  static final int MOST = 1024;

  public InstanceRange {
    if (min < 0) {
      throw new ConfigException("min_count", "0 or more", min);
    }
    if (max < min || max > MOST) {
      throw new ConfigException("max_count", "min_count, which is " + min + ", to " + MOST, max);
    }
    if (min == 0 && max > 0) {
      min = 1;
    }
  }

  public boolean isFixed() {
    return max == 0;
  }

  /** Returns what is nearest to {@code instances}. */
  public int clamp(int instances) {
    return isFixed() ? instances : Math.max(min, Math.min(max, instances));
  }
}
