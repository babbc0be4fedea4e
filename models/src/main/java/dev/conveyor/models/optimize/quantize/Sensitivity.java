package dev.conveyor.models.optimize.quantize;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.onnx.OnnxSession;
import dev.conveyor.models.optimize.Progress;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.evaluate.Agreement;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** What each layer alone does to the outputs when it is quantised. Stateless. */
public final class Sensitivity {

  private Sensitivity() {}

  /**
   * One layer.
   *
   * @param sqnrDb signal by quantisation noise at the model's outputs with only this layer
   *     quantised; the lower, the more it costs
   */
  public record Layer(String name, double sqnrDb) {}

  /** Measures every layer of a plan and returns them, the costliest first. */
  public static List<Layer> measure(
      QuantizationPlan plan,
      Map<String, Range> ranges,
      Int8Quantizer.Options options,
      DataSet data,
      Progress progress) {
    Graph graph = plan.graph();
    List<List<Tensor>> reference = answers(graph, data);
    List<Layer> layers = new ArrayList<>();
    for (Node layer : plan.layers()) {
      QuantizationPlan only = QuantizationPlan.only(graph, layer.name());
      Graph quantised = Int8Quantizer.quantize(only, ranges, options);
      layers.add(new Layer(layer.name(), compare(reference, answers(quantised, data)).sqnrDb()));
      progress.at("sensitivity of layers", layers.size(), plan.layers().size());
    }
    layers.sort(Comparator.comparingDouble(Layer::sqnrDb));
    return layers;
  }

  /** Returns how far a graph agrees with another on data. */
  public static Agreement agreement(Graph reference, Graph candidate, DataSet data) {
    return agreement(answers(reference, data), candidate, data);
  }

  /** Returns how far a graph agrees with known answers to data. */
  public static Agreement agreement(List<List<Tensor>> reference, Graph candidate, DataSet data) {
    return compare(reference, answers(candidate, data));
  }

  private static Agreement compare(List<List<Tensor>> reference, List<List<Tensor>> candidate) {
    Agreement agreement = new Agreement();
    for (int i = 0; i < reference.size(); i++) {
      agreement.add(reference.get(i), candidate.get(i));
    }
    return agreement;
  }

  /** Returns the outputs of a graph, item by item. */
  public static List<List<Tensor>> answers(Graph graph, DataSet data) {
    List<List<Tensor>> outputs = new ArrayList<>();
    try (OnnxSession session =
        new OnnxSession("model", graph.toModel().toByteArray(), OnnxSession.Options.threads(1))) {
      for (int i = 0; i < data.size(); i++) {
        outputs.add(session.run(data.sample(i).inputs()));
      }
    }
    return outputs;
  }
}
