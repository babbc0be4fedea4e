package dev.conveyor.models.optimize.evaluate;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.optimize.data.Sample;
import dev.conveyor.models.optimize.data.Truth.Box;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Mean over the classes of the area under the curve of precision over recall; a box is right if it
 * overlaps a marked one, that no surer box has taken, by half or more (PASCAL VOC 2010).
 */
final class MeanAveragePrecision implements Accuracy {

  private static final float MIN_SCORE = 0.01f;
  private static final double OVERLAP = 0.5;

  private record Hit(float score, boolean right) {}

  private final Map<Integer, List<Hit>> hits = new TreeMap<>();
  private final Map<Integer, Integer> marked = new TreeMap<>();

  @Override
  public void add(Sample sample, List<Tensor> outputs) {
    List<Box> truth = sample.truth().boxes();
    if (truth != null) {
      add(truth, Detections.of(outputs, MIN_SCORE));
    }
  }

  void add(List<Box> truth, List<Detections.Found> found) {
    truth.forEach(box -> marked.merge(box.label(), 1, Integer::sum));
    Set<Integer> taken = new HashSet<>();
    for (Detections.Found f : found) {
      int best = -1;
      double overlap = OVERLAP;
      for (int i = 0; i < truth.size(); i++) {
        double iou = truth.get(i).iou(f.box());
        if (truth.get(i).label() == f.box().label() && !taken.contains(i) && iou >= overlap) {
          overlap = iou;
          best = i;
        }
      }
      if (best >= 0) {
        taken.add(best);
      }
      hits.computeIfAbsent(f.box().label(), k -> new ArrayList<>())
          .add(new Hit(f.score(), best >= 0));
    }
  }

  @Override
  public String metric() {
    return "mAP@0.5";
  }

  @Override
  public double percent() {
    double sum = 0;
    for (Map.Entry<Integer, Integer> entry : marked.entrySet()) {
      sum += averagePrecision(hits.getOrDefault(entry.getKey(), List.of()), entry.getValue());
    }
    return 100 * sum / marked.size();
  }

  private static double averagePrecision(List<Hit> found, int marked) {
    List<Hit> sorted =
        found.stream().sorted(Comparator.comparingDouble((Hit h) -> -h.score())).toList();
    double[] precision = new double[sorted.size()];
    int right = 0;
    for (int i = 0; i < precision.length; i++) {
      right += sorted.get(i).right() ? 1 : 0;
      precision[i] = (double) right / (i + 1);
    }
    double area = 0;
    double best = 0;
    for (int i = precision.length - 1; i >= 0; i--) {
      best = Math.max(best, precision[i]);
      area += sorted.get(i).right() ? best / marked : 0;
    }
    return area;
  }

  @Override
  public Map<String, Double> details() {
    return Map.of();
  }
}
