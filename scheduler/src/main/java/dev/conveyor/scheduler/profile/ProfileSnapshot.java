package dev.conveyor.scheduler.profile;

import java.util.List;

/**
 * What a {@link CostProfile} had learned at one moment. Immutable. Times are nanoseconds.
 *
 * @param sizes over whatever ran beside, ascending; only sizes that have run
 * @param byConcurrency the same by how many batches ran on the device on average, if that varied
 * @param samples that stand for all: fed to a new profile they give about the same predictions
 * @param alphaNs rise of the fitted line per item
 * @param betaNs the fitted line at no items
 * @param relearned how often a size was found to have changed
 * @param seeded samples that were not requests: warm-up or a stored profile
 */
public record ProfileSnapshot(
    List<Size> sizes,
    List<Concurrency> byConcurrency,
    List<CostSample> samples,
    double alphaNs,
    double betaNs,
    long relearned,
    long seeded,
    Accuracy accuracy) {

  public ProfileSnapshot {
    sizes = List.copyOf(sizes);
    byConcurrency = List.copyOf(byConcurrency);
    samples = List.copyOf(samples);
  }

  /**
   * One batch size.
   *
   * @param batchSize the largest of its group, above 16
   * @param samples at most the last 64
   * @param medianNs measured, as the p95 and p99
   * @param predictedNs the monotone median
   * @param predictedP99Ns what a run rarely exceeds
   */
  public record Size(
      int batchSize,
      int samples,
      double medianNs,
      double p95Ns,
      double p99Ns,
      double predictedNs,
      double predictedP99Ns) {

    /** Returns predicted minus measured median, relative to the measured. */
    public double error() {
      return medianNs == 0 ? 0 : (predictedNs - medianNs) / medianNs;
    }
  }

  /** The sizes at one concurrency. */
  public record Concurrency(int batches, List<Size> sizes) {
    public Concurrency {
      sizes = List.copyOf(sizes);
    }
  }

  /**
   * Predictions against the runs that followed them.
   *
   * @param scored runs of requests for which there was a prediction
   * @param medianError of the absolute relative errors of the last 512
   * @param shareUnderP99 of the last 512
   * @param shareUnderP99Ever of all
   */
  public record Accuracy(
      long scored, double medianError, double shareUnderP99, double shareUnderP99Ever) {}
}
