package dev.conveyor.models.optimize.evaluate;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.data.Truth.Box;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Boxes out of the outputs of a detector: {@code scores [1,P,C]}, class 0 being background, and
 * {@code boxes [1,P,4]}, edges left, top, right, bottom. Stateless.
 */
public final class Detections {

  private static final double OVERLAP = 0.5;

  private Detections() {}

  /** A box and how sure the model is of it. */
  public record Found(Box box, float score) {}

  /** Returns whether outputs look like those of a detector. */
  static boolean areIn(List<Tensor> outputs) {
    return outputs.stream().anyMatch(Detections::isBoxes)
        && outputs.stream().anyMatch(Detections::isScores);
  }

  private static boolean isBoxes(Tensor t) {
    return t.shape().rank() == 3 && t.shape().dim(2) == 4 && t.name().contains("box");
  }

  private static boolean isScores(Tensor t) {
    return t.shape().rank() == 3 && t.shape().dim(2) > 1 && t.name().contains("score");
  }

  /**
   * Returns the boxes above a score, surest first, without those that overlap a surer one of their
   * class by half.
   */
  public static List<Found> of(List<Tensor> outputs, float minScore) {
    Tensor scores = find(outputs, true);
    float[] probability = Agreement.Values.of(scores);
    float[] edges = Agreement.Values.of(find(outputs, false));
    int classes = (int) scores.shape().dim(2);
    int places = (int) scores.shape().dim(1);
    List<Found> all = new ArrayList<>();
    for (int p = 0; p < places; p++) {
      for (int c = 1; c < classes; c++) {
        float score = probability[p * classes + c];
        if (score > minScore) {
          int at = p * 4;
          Box box = new Box(c, edges[at], edges[at + 1], edges[at + 2], edges[at + 3]);
          all.add(new Found(box, score));
        }
      }
    }
    all.sort(Comparator.comparingDouble((Found f) -> -f.score()));
    List<Found> kept = new ArrayList<>();
    for (Found found : all) {
      if (kept.stream()
          .noneMatch(
              k -> k.box().label() == found.box().label() && k.box().iou(found.box()) > OVERLAP)) {
        kept.add(found);
      }
    }
    return kept;
  }

  private static Tensor find(List<Tensor> outputs, boolean scores) {
    return outputs.stream()
        .filter(t -> scores ? isScores(t) : isBoxes(t))
        .findFirst()
        .orElseThrow(
            () ->
                new OptimizeException(
                    "boxes are known, but the model's outputs are "
                        + outputs
                        + "; \"scores\" [N,P,C] and \"boxes\" [N,P,4] are expected"));
  }
}
