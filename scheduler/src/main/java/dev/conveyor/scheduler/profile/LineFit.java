package dev.conveyor.scheduler.profile;

/**
 * The line {@code alpha * x + beta}, both at least 0, through weighted points with the least sum of
 * squared relative errors.
 *
 * <p>Not thread-safe: owned by its {@link CostTable}. Time is linear in the points, no allocation.
 */
final class LineFit {

  private double sw;
  private double sx;
  private double sy;
  private double sxx;
  private double sxy;
  private int points;
  private double alpha;
  private double beta;

  void clear() {
    sw = 0;
    sx = 0;
    sy = 0;
    sxx = 0;
    sxy = 0;
    points = 0;
  }

  void add(double x, double y, double weight) {
    double w = weight / Math.max(1, y * y);
    sw += w;
    sx += w * x;
    sy += w * y;
    sxx += w * x * x;
    sxy += w * x * y;
    points++;
  }

  /** Fits what was added since {@link #clear}; one point alone is taken for proportional. */
  void fit() {
    double spread = sw * sxx - sx * sx;
    if (points == 0) {
      alpha = 0;
      beta = 0;
      return;
    }
    if (points == 1 || spread <= 1e-12 * sw * sxx) {
      alpha = sxy / sxx;
      beta = 0;
      return;
    }
    alpha = (sw * sxy - sx * sy) / spread;
    beta = (sy - alpha * sx) / sw;
    if (alpha < 0) {
      alpha = 0;
      beta = sy / sw;
    } else if (beta < 0) {
      beta = 0;
      alpha = sxy / sxx;
    }
  }

  int points() {
    return points;
  }

  double at(double x) {
    return alpha * x + beta;
  }

  double alpha() {
    return alpha;
  }

  double beta() {
    return beta;
  }
}
