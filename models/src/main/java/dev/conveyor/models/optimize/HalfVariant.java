package dev.conveyor.models.optimize;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.DataSets;
import dev.conveyor.models.optimize.evaluate.Evaluator;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import dev.conveyor.models.optimize.graph.Weights;
import dev.conveyor.models.optimize.precision.HalfConverter;
import dev.conveyor.models.optimize.quantize.Observations;
import dev.conveyor.models.optimize.quantize.Sensitivity;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Finds the FP16 form of a model that answers as the model did: where rounding moves an output by
 * too much, the layers that do most of it are left in float.
 *
 * <p>The worst of some data understates the worst of more, so layers are left in float until the
 * difference is half of what is allowed, and only as many as hold a hundredth of the weights: bytes
 * are what FP16 is for. A layer that does not help stays in FP16.
 *
 * <p>Not thread-safe: one object, one model.
 */
final class HalfVariant {

  /** Part of all weights that layers left in float may hold together. */
  static final double MOST_WEIGHTS = 0.01;

  private static final int OBSERVED_ITEMS = 16;
  private static final int RANKED_ITEMS = 16;
  private static final int MOST_RANKED = 64;
  private static final int MOST_TRIALS = 8;

  /** Operators that pass numbers on as they are, and so round nothing themselves. */
  private static final Set<String> EXACT =
      Set.of(
          "Relu",
          "Clip",
          "MaxPool",
          "GlobalMaxPool",
          "Concat",
          "Reshape",
          "Flatten",
          "Transpose",
          "Squeeze",
          "Unsqueeze",
          "Slice",
          "Split",
          "Gather",
          "Identity",
          "Pad",
          "Expand",
          "Tile",
          "Shape",
          "Cast",
          "Constant",
          "ConstantOfShape");

  private final VariantKind kind;
  private final Graph prepared;
  private final DataSet calibration;
  private final OptimizeOptions options;
  private final Progress progress;
  private final Map<String, Float> largest;
  private final List<String> notes = new ArrayList<>();

  /** A layer, the numbers it holds and the difference that rounding it alone makes. */
  private record Layer(String name, long weights, double difference) {}

  HalfVariant(
      VariantKind kind,
      Graph prepared,
      DataSet calibration,
      OptimizeOptions options,
      Progress progress) {
    this.kind = kind;
    this.prepared = prepared;
    this.calibration = calibration;
    this.options = options;
    this.progress = progress;
    List<String> values = new ArrayList<>();
    prepared.nodes().forEach(n -> values.addAll(n.outputs()));
    prepared.inputs().forEach(i -> values.add(i.getName()));
    DataSet few = DataSets.spread(calibration, OBSERVED_ITEMS);
    this.largest = Observations.of(prepared, values, few, options.threads(), progress).largest();
  }

  /** Converts, and leaves layers in float, the costliest first, until the answers are near. */
  Variant make(Evaluator evaluator) {
    Set<String> inFloat = new LinkedHashSet<>(options.excluded());
    HalfConverter.Result best = convert(inFloat);
    double difference = difference(evaluator, best);
    double aim = options.maxDifference() / 2;
    if (difference > aim) {
      long held = 0;
      int trials = 0;
      for (Layer layer : costliest()) {
        if (!(difference > aim) || trials == MOST_TRIALS) {
          break;
        }
        if (layer.difference() == 0 || held + layer.weights() > allowed()) {
          continue;
        }
        trials++;
        Set<String> more = new LinkedHashSet<>(inFloat);
        more.add(layer.name());
        HalfConverter.Result other = convert(more);
        double nearer = difference(evaluator, other);
        if (nearer < difference) {
          notes.add(
              String.format(
                  Locale.ROOT,
                  "%s left in float: worst difference %.4f of the largest output instead of %.4f",
                  layer.name(),
                  nearer,
                  difference));
          best = other;
          difference = nearer;
          inFloat = more;
          held += layer.weights();
        }
      }
    }
    notes.add(
        best.keptInFloat().isEmpty()
            ? "no value exceeds FP16 on %d items"
                .formatted(Math.min(OBSERVED_ITEMS, calibration.size()))
            : "kept in float: " + best.keptInFloat());
    return new Variant(kind, best.graph(), notes);
  }

  private HalfConverter.Result convert(Set<String> inFloat) {
    return HalfConverter.convert(
        prepared,
        new HalfConverter.Options(inFloat, kind.way() == VariantKind.Way.FP16_IO, largest));
  }

  private double difference(Evaluator evaluator, HalfConverter.Result result) {
    return evaluator
        .evaluate(kind.label(), result.graph().toModel().toByteArray())
        .agreement()
        .worstRelativeError();
  }

  /** Returns the layers that round, by the difference that each alone makes. */
  private List<Layer> costliest() {
    Set<String> all = new LinkedHashSet<>();
    prepared.nodes().forEach(n -> all.add(n.name()));
    // Those with weights first: if a model has more nodes than are tried, these count.
    List<Node> candidates =
        prepared.nodes().stream()
            .filter(n -> !EXACT.contains(n.type()) && !isExcluded(n) && weights(n) <= allowed())
            .sorted(Comparator.comparing((Node n) -> weights(n) == 0))
            .limit(MOST_RANKED)
            .toList();
    DataSet few = DataSets.spread(calibration, RANKED_ITEMS);
    List<List<Tensor>> reference = Sensitivity.answers(prepared, few);
    List<Layer> layers = new ArrayList<>();
    for (Node node : candidates) {
      Set<String> others = new LinkedHashSet<>(all);
      others.remove(node.name());
      Graph only =
          HalfConverter.convert(prepared, new HalfConverter.Options(others, false, largest))
              .graph();
      double alone = Sensitivity.agreement(reference, only, few).worstRelativeError();
      layers.add(new Layer(node.name(), weights(node), alone));
      progress.at("rounding layers one by one", layers.size(), candidates.size());
    }
    layers.sort(Comparator.comparingDouble((Layer l) -> -l.difference()));
    return layers;
  }

  private boolean isExcluded(Node node) {
    return options.excluded().contains(node.name()) || options.excluded().contains(node.type());
  }

  private double allowed() {
    return MOST_WEIGHTS
        * prepared.weights().values().stream().mapToLong(HalfVariant::elements).sum();
  }

  private long weights(Node node) {
    long sum = 0;
    for (String input : node.inputs()) {
      TensorProto weight = prepared.weight(input);
      sum += weight == null ? 0 : elements(weight);
    }
    return sum;
  }

  private static long elements(TensorProto weight) {
    return Weights.isFloat(weight) ? Weights.elements(weight) : 0;
  }
}
