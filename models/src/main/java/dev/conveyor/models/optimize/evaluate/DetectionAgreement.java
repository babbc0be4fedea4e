package dev.conveyor.models.optimize.evaluate;

import dev.conveyor.models.Tensor;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Whether a detector finds what another finds: the harmonic mean of how much of the other's it
 * finds and how much of its own the other has (F1). Boxes are the same if they are of one class and
 * overlap by half or more. Not thread-safe: owned by whoever adds to it.
 */
final class DetectionAgreement {

  private static final double OVERLAP = 0.5;

  private final float minScore;
  private long expected;
  private long found;
  private long same;

  /**
   * Starts with nothing.
   *
   * @param minScore a box counts from this score on, 0 to 1
   */
  DetectionAgreement(float minScore) {
    this.minScore = minScore;
  }

  void add(List<Tensor> reference, List<Tensor> candidate) {
    List<Detections.Found> theirs = Detections.of(reference, minScore);
    List<Detections.Found> ours = new ArrayList<>(Detections.of(candidate, minScore));
    expected += theirs.size();
    found += ours.size();
    for (Detections.Found box : theirs) {
      ours.stream()
          .filter(o -> o.box().label() == box.box().label() && o.box().iou(box.box()) >= OVERLAP)
          .max(Comparator.comparingDouble(o -> o.box().iou(box.box())))
          .ifPresent(
              match -> {
                ours.remove(match);
                same++;
              });
    }
  }

  /** Returns 0 to 100; 100 if neither finds anything. */
  double percent() {
    return expected + found == 0 ? 100 : 200.0 * same / (expected + found);
  }
}
