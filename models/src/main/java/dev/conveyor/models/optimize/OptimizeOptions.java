package dev.conveyor.models.optimize;

import dev.conveyor.models.optimize.quantize.Calibration;
import dev.conveyor.models.optimize.quantize.Target;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What to make and how to judge it.
 *
 * @param variants names as {@link VariantKind} reads them
 * @param target whose integer kernels to write for
 * @param calibration empty tries all and keeps the one that loses least
 * @param calibrationItems how much of the data calibrates; the rest evaluates
 * @param maxDrop most points of accuracy that a variant may lose
 * @param maxDifference most that an output in FP16 may differ, by the largest of that output
 * @param minScore from which on what a detector finds counts, where nobody marked the objects
 * @param minSpeedUp least speed-up of a variant that is meant to be faster here
 * @param excluded nodes or operators that stay in float, or are not pruned
 * @param threads of the runs that are timed
 * @param batches sizes at which speed is measured
 * @param timing of the measurement at each batch size
 */
public record OptimizeOptions(
    List<VariantKind> variants,
    Target target,
    Optional<Calibration> calibration,
    int calibrationItems,
    double maxDrop,
    double maxDifference,
    double minScore,
    double minSpeedUp,
    Set<String> excluded,
    int threads,
    List<Integer> batches,
    Duration timing) {

  public OptimizeOptions {
    variants = List.copyOf(variants);
    excluded = Set.copyOf(excluded);
    batches = List.copyOf(batches);
    if (variants.isEmpty()) {
      throw new OptimizeException("no variant is asked for");
    }
    if (calibrationItems < 1 || threads < 1 || batches.isEmpty() || batches.get(0) < 1) {
      throw new OptimizeException(
          "calibration items, threads and batch sizes must be 1 or more: %d, %d, %s"
              .formatted(calibrationItems, threads, batches));
    }
    if (!(minScore >= 0 && minScore < 1)) {
      throw new OptimizeException("the least score must be from 0 to below 1, was " + minScore);
    }
    if (!(maxDifference > 0)) {
      throw new OptimizeException("the largest difference must be above 0, was " + maxDifference);
    }
    if (!(maxDrop >= 0)) {
      throw new OptimizeException("the largest drop must be 0 points or more, was " + maxDrop);
    }
  }
}
