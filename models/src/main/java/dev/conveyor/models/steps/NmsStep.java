package dev.conveyor.models.steps;

import dev.conveyor.memory.HeapShare;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Greedy non-maximum suppression, class by class: of boxes that overlap, the one with the highest
 * score stays. Boxes are corners {@code x1, y1, x2, y2}; those without an area and those with a
 * number that is none are dropped. What is kept comes by score, the first of equals first; places
 * that are left over are 0.
 *
 * @param iou overlap above which the box with the lower score goes
 * @param score least score of a detection
 * @param firstClass classes below are background
 * @param max most detections per image
 */
record NmsStep(float iou, float score, int firstClass, int max) implements Step {

  private record Candidate(int box, int kind, float score, Box corners) {}

  /** Corners. */
  record Box(float x1, float y1, float x2, float y2) {

    static Box read(ByteBuffer boxes, int index) {
      return new Box(
          boxes.getFloat(16 * index),
          boxes.getFloat(16 * index + 4),
          boxes.getFloat(16 * index + 8),
          boxes.getFloat(16 * index + 12));
    }

    void write(ByteBuffer boxes, int index) {
      boxes.putFloat(16 * index, x1).putFloat(16 * index + 4, y1);
      boxes.putFloat(16 * index + 8, x2).putFloat(16 * index + 12, y2);
    }

    float area() {
      float width = x2 - x1;
      float height = y2 - y1;
      return width > 0 && height > 0 ? width * height : 0;
    }
  }

  /** With its corners and its place in the list. */
  private static final long CANDIDATE_BYTES = 72;

  private static final Comparator<Candidate> BEST_FIRST =
      Comparator.comparingDouble((Candidate c) -> -c.score())
          .thenComparingInt(Candidate::box)
          .thenComparingInt(Candidate::kind);

  static Step of(StepSettings settings) {
    return new NmsStep(
        (float) settings.number("iou", 0, 1, 0.5),
        (float) settings.number("score", 0, 1e9, 0.5),
        settings.integer("first_class", 0, 1_000_000, 0),
        settings.integer("max", 1, 100_000, 100));
  }

  @Override
  public List<String> inputs() {
    return List.of("boxes", "scores");
  }

  @Override
  public List<TensorSpec> outputs(List<TensorSpec> inputs) {
    Specs.require(inputs.get(0), DataType.FP32, 3, 3);
    Specs.requireLast(inputs.get(0), 4);
    Specs.require(inputs.get(1), DataType.FP32, 3, 3);
    long images = inputs.get(0).shape().dim(0);
    return List.of(
        new TensorSpec("boxes", DataType.FP32, Shape.of(images, max, 4)),
        new TensorSpec("scores", DataType.FP32, Shape.of(images, max)),
        new TensorSpec("classes", DataType.INT32, Shape.of(images, max)),
        new TensorSpec("count", DataType.INT32, Shape.of(images, 1)));
  }

  @Override
  public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
    Tensor boxes = inputs.get(0);
    Tensor scores = inputs.get(1);
    long images = boxes.shape().dim(0);
    if (scores.shape().dim(0) != images || scores.shape().dim(1) != boxes.shape().dim(1)) {
      throw InferenceException.invalid(
          "boxes %s and scores %s are not of the same detections"
              .formatted(boxes.shape(), scores.shape()));
    }
    Tensor keptBoxes = resources.tensor("boxes", DataType.FP32, Shape.of(images, max, 4));
    Tensor keptScores = resources.tensor("scores", DataType.FP32, Shape.of(images, max));
    Tensor classes = resources.tensor("classes", DataType.INT32, Shape.of(images, max));
    Tensor counts = resources.tensor("count", DataType.INT32, Shape.of(images, 1));
    for (int image = 0; image < images; image++) {
      List<Candidate> kept;
      HeapShare counted = resources.count("candidates", CANDIDATE_BYTES * count(scores, image));
      try {
        kept = keep(candidates(boxes, scores, image));
      } finally {
        counted.close();
      }
      counts.data().putInt(4 * image, kept.size());
      for (int i = 0; i < kept.size(); i++) {
        Candidate candidate = kept.get(i);
        int at = image * max + i;
        candidate.corners().write(keptBoxes.data(), at);
        keptScores.data().putFloat(4 * at, candidate.score());
        classes.data().putInt(4 * at, candidate.kind());
      }
    }
    return List.of(keptBoxes, keptScores, classes, counts);
  }

  private long count(Tensor scores, int image) {
    int kinds = Specs.last(scores);
    int each = (int) scores.shape().dim(1);
    long count = 0;
    for (int box = 0; box < each; box++) {
      for (int kind = firstClass; kind < kinds; kind++) {
        count += scores.data().getFloat(4 * ((image * each + box) * kinds + kind)) >= score ? 1 : 0;
      }
    }
    return count;
  }

  private List<Candidate> candidates(Tensor boxes, Tensor scores, int image) {
    int each = (int) boxes.shape().dim(1);
    int kinds = Specs.last(scores);
    List<Candidate> candidates = new ArrayList<>();
    for (int box = 0; box < each; box++) {
      for (int kind = firstClass; kind < kinds; kind++) {
        float value = scores.data().getFloat(4 * ((image * each + box) * kinds + kind));
        if (value >= score) {
          Box corners = Box.read(boxes.data(), image * each + box);
          // False for NaN too.
          if (corners.area() > 0 && Float.isFinite(corners.area())) {
            candidates.add(new Candidate(box, kind, value, corners));
          }
        }
      }
    }
    candidates.sort(BEST_FIRST);
    return candidates;
  }

  private List<Candidate> keep(List<Candidate> candidates) {
    List<Candidate> kept = new ArrayList<>();
    for (Candidate candidate : candidates) {
      if (kept.size() == max) {
        break;
      }
      boolean covered = false;
      for (Candidate better : kept) {
        covered |=
            better.kind() == candidate.kind()
                && overlap(better.corners(), candidate.corners()) > iou;
      }
      if (!covered) {
        kept.add(candidate);
      }
    }
    return kept;
  }

  /** Returns the intersection of two boxes over their union. */
  static float overlap(Box a, Box b) {
    float width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1);
    float height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1);
    if (!(width > 0 && height > 0)) {
      return 0;
    }
    float common = width * height;
    return common / (a.area() + b.area() - common);
  }
}
