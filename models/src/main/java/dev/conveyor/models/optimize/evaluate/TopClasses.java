package dev.conveyor.models.optimize.evaluate;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.data.Sample;
import java.util.List;
import java.util.Map;

/** Share of items whose class is the most likely one, or among the five most likely. */
final class TopClasses implements Accuracy {

  private int items;
  private int first;
  private int amongFive;

  @Override
  public void add(Sample sample, List<Tensor> outputs) {
    int label = sample.truth().label();
    if (label < 0) {
      return;
    }
    float[] scores = Agreement.Values.of(outputs.get(0));
    if (label >= scores.length) {
      throw new OptimizeException(
          "%s: is of class %d, the model knows %d".formatted(sample.name(), label, scores.length));
    }
    int better = 0;
    for (int i = 0; i < scores.length; i++) {
      // A tie, or a NaN, is decided against the model.
      better += i != label && !(scores[i] < scores[label]) ? 1 : 0;
    }
    items++;
    first += better == 0 ? 1 : 0;
    amongFive += better < 5 ? 1 : 0;
  }

  @Override
  public String metric() {
    return "top-1";
  }

  @Override
  public double percent() {
    return 100.0 * first / items;
  }

  @Override
  public Map<String, Double> details() {
    return Map.of("top-5", 100.0 * amongFive / items);
  }
}
