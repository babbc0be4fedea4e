package dev.conveyor.models.optimize.quantize;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.onnx.OnnxSession;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.Progress;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.Sample;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.ValueTypes;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What values inside a model were like on data. Immutable once made.
 *
 * <p>The values are made outputs of the model, which then runs twice over the data: for the
 * extremes, and for histograms between them.
 */
public final class Observations {

  private final Map<String, Histogram> histograms = new LinkedHashMap<>();
  private final Map<String, ChannelStatistics> channels = new HashMap<>();

  private Observations() {}

  /**
   * Observes FP32 values.
   *
   * @param values names; what is no FP32 value of the graph is passed over
   * @throws OptimizeException if a value is not a finite number, or the data does not suit
   */
  public static Observations of(
      Graph graph, Collection<String> values, DataSet data, int threads, Progress progress) {
    if (data.size() == 0) {
      throw new OptimizeException("no data to calibrate with");
    }
    ValueTypes types = ValueTypes.of(graph);
    Observations result = new Observations();
    values.stream().filter(types::isFloat).forEach(v -> result.histograms.put(v, new Histogram()));
    Set<String> inputs = new HashSet<>();
    graph.inputs().forEach(i -> inputs.add(i.getName()));
    List<String> inner =
        result.histograms.keySet().stream().filter(v -> !inputs.contains(v)).toList();
    byte[] model = ValueTypes.withOutputs(graph, inner).toByteArray();
    try (OnnxSession session =
        new OnnxSession("model", model, OnnxSession.Options.threads(threads))) {
      int total = 2 * data.size();
      for (int i = 0; i < total; i++) {
        Sample sample = data.sample(i % data.size());
        boolean first = i < data.size();
        for (Map.Entry<String, Tensor> seen : run(session, sample).entrySet()) {
          Histogram histogram = result.histograms.get(seen.getKey());
          if (histogram != null) {
            result.see(histogram, seen.getValue(), sample, first);
          }
        }
        progress.at("calibrating", i + 1, total);
      }
    }
    return result;
  }

  private void see(Histogram histogram, Tensor tensor, Sample sample, boolean first) {
    float[] values = Weights.floats(tensor);
    if (!first) {
      histogram.count(values);
      return;
    }
    channels
        .computeIfAbsent(tensor.name(), name -> new ChannelStatistics())
        .add(tensor.shape(), values);
    if (!histogram.widen(values)) {
      throw new OptimizeException(
          "%s: '%s' is not a finite number somewhere; data with NaN or infinity cannot calibrate"
              .formatted(sample.name(), tensor.name()));
    }
  }

  private static Map<String, Tensor> run(OnnxSession session, Sample sample) {
    requireSuiting(session.inputs(), sample);
    Map<String, Tensor> seen = new HashMap<>();
    sample.inputs().forEach(t -> seen.put(t.name(), t));
    session.run(sample.inputs()).forEach(t -> seen.put(t.name(), t));
    return seen;
  }

  private static void requireSuiting(List<TensorSpec> inputs, Sample sample) {
    for (int i = 0; i < inputs.size(); i++) {
      TensorSpec spec = inputs.get(i);
      if (sample.inputs().size() != inputs.size()
          || !spec.shape().accepts(sample.inputs().get(i).shape())) {
        throw new OptimizeException(
            "%s: %s, the model takes %s".formatted(sample.name(), sample.inputs(), inputs));
      }
    }
  }

  /** Returns the range of every observed value. */
  public Map<String, Range> ranges(Calibration method) {
    Map<String, Range> ranges = new HashMap<>();
    histograms.forEach((name, histogram) -> ranges.put(name, histogram.range(method)));
    return ranges;
  }

  /** Returns the largest magnitude of every observed value. */
  public Map<String, Float> largest() {
    Map<String, Float> largest = new HashMap<>();
    histograms.forEach((name, histogram) -> largest.put(name, histogram.limit()));
    return largest;
  }

  /** Returns the mean of every channel, the second dimension, of every observed value. */
  public Map<String, double[]> channelMeans() {
    Map<String, double[]> means = new HashMap<>();
    channels.forEach((name, statistics) -> means.put(name, statistics.means()));
    return means;
  }

  /** Returns the largest magnitude in every channel of a value; empty if it was not observed. */
  float[] channelLargest(String value) {
    ChannelStatistics statistics = channels.get(value);
    return statistics == null ? new float[0] : statistics.largest();
  }
}
