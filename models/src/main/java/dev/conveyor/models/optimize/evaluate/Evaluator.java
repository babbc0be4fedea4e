package dev.conveyor.models.optimize.evaluate;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.onnx.OnnxSession;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.Progress;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.Sample;
import dev.conveyor.models.optimize.data.Truth;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Evaluates variants of one model on the same data. Thread-confined. The answers of the original
 * are kept, to compare with.
 */
public final class Evaluator {

  private final DataSet data;
  private final int threads;
  private final float minScore;
  private final Progress progress;
  private final List<List<Tensor>> reference = new ArrayList<>();
  private final Scores original;

  /**
   * Runs the original over the data.
   *
   * @param minScore from which on what a detector finds counts, where nobody marked the objects
   * @throws OptimizeException if there is no data, or it contradicts the model
   */
  public Evaluator(
      byte[] originalModel, DataSet data, int threads, double minScore, Progress progress) {
    if (data.size() == 0) {
      throw new OptimizeException("no data to evaluate with");
    }
    this.data = data;
    this.threads = threads;
    this.minScore = (float) minScore;
    this.progress = progress;
    this.original = evaluate("original", originalModel);
  }

  /** Returns the original's own scores. */
  public Scores original() {
    return original;
  }

  public int items() {
    return data.size();
  }

  /** Returns an item, to measure speed with. */
  public List<Tensor> anInput() {
    return data.sample(0).inputs();
  }

  /** Runs a model over the data. */
  public Scores evaluate(String name, byte[] model) {
    boolean first = reference.size() < data.size();
    Agreement agreement = new Agreement();
    DetectionAgreement detections = null;
    Accuracy accuracy = null;
    try (OnnxSession session = new OnnxSession(name, model, OnnxSession.Options.threads(threads))) {
      for (int i = 0; i < data.size(); i++) {
        Sample sample = data.sample(i);
        List<Tensor> outputs = session.run(HalfInputs.suit(session.inputs(), sample.inputs()));
        if (first) {
          reference.add(outputs);
        }
        agreement.add(reference.get(i), outputs);
        accuracy = accuracy == null ? metricFor(sample.truth(), outputs) : accuracy;
        if (accuracy != null) {
          accuracy.add(sample, outputs);
        } else if (Detections.areIn(outputs)) {
          detections = detections == null ? new DetectionAgreement(minScore) : detections;
          detections.add(reference.get(i), outputs);
        }
        progress.at("evaluating " + name, i + 1, data.size());
      }
    }
    if (accuracy == null && detections != null) {
      return new Scores("same detections", detections.percent(), false, Map.of(), agreement);
    }
    return scores(accuracy, agreement);
  }

  /** Picks by what is known and by what the model gives: one truth may serve several models. */
  private static @Nullable Accuracy metricFor(Truth truth, List<Tensor> outputs) {
    if (truth.mask() != null && outputs.get(0).shape().rank() == 4) {
      return new MaskOverlap();
    }
    if (truth.boxes() != null && Detections.areIn(outputs)) {
      return new MeanAveragePrecision();
    }
    return truth.label() >= 0 && outputs.get(0).shape().rank() == 2 ? new TopClasses() : null;
  }

  private static Scores scores(@Nullable Accuracy accuracy, Agreement agreement) {
    if (accuracy != null) {
      return new Scores(accuracy.metric(), accuracy.percent(), true, accuracy.details(), agreement);
    }
    double same = agreement.sameClass();
    return Double.isNaN(same)
        ? new Scores("cosine", 100 * agreement.meanCosine(), false, Map.of(), agreement)
        : new Scores("top-1 agreement", 100 * same, false, Map.of(), agreement);
  }
}
