package dev.conveyor.models.optimize;

import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.DataSets;
import dev.conveyor.models.optimize.evaluate.Evaluator;
import dev.conveyor.models.optimize.evaluate.Scores;
import dev.conveyor.models.optimize.evaluate.Speed;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import dev.conveyor.models.optimize.quantize.Calibration;
import dev.conveyor.models.optimize.quantize.ChannelEqualization;
import dev.conveyor.models.optimize.quantize.Int8Quantizer;
import dev.conveyor.models.optimize.quantize.Observations;
import dev.conveyor.models.optimize.quantize.QuantizationPlan;
import dev.conveyor.models.optimize.quantize.Range;
import dev.conveyor.models.optimize.quantize.Sensitivity;
import dev.conveyor.models.optimize.quantize.Target;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Finds the static quantisation of a model that keeps its accuracy: which way to calibrate, and
 * which layers have to stay in float.
 *
 * <p>Not thread-safe: one object, one model.
 */
final class Int8Variant {

  private static final int COMPARED_ITEMS = 32;
  private static final int COLOURS = 3;
  private static final int SENSITIVITY_ITEMS = 4;
  private static final int EQUALIZED_ITEMS = 64;
  private static final Duration STEM_TIMING = Duration.ofMillis(600);

  private final Graph prepared;
  private final DataSet calibration;
  private final OptimizeOptions options;
  private final Progress progress;
  private final List<String> notes = new ArrayList<>();
  private final Set<String> excluded;
  private Int8Quantizer.Options quantizer;

  Int8Variant(Graph prepared, DataSet calibration, OptimizeOptions options, Progress progress) {
    this.calibration = calibration;
    this.options = options;
    this.progress = progress;
    this.prepared = equalized(prepared, calibration, options.threads(), progress, notes);
    this.excluded = new HashSet<>(options.excluded());
    boolean narrow = options.target() == Target.CPU && !Vnni.isHere();
    this.quantizer = new Int8Quantizer.Options(options.target(), narrow ? 64 : 127);
    if (narrow) {
      notes.add("weights in 7 bits: this CPU has no VNNI, and its 16-bit sums would saturate");
    }
  }

  /** Quantises, and leaves layers in float, the costliest first, until the budget holds. */
  Variant make(Evaluator evaluator) {
    QuantizationPlan plan = QuantizationPlan.of(prepared, excluded);
    if (plan.layers().isEmpty()) {
      throw new OptimizeException(
          "nothing to quantise: no convolution or product with constant weights was found among "
              + plan.floatOperators().keySet());
    }
    Observations observations =
        Observations.of(prepared, plan.values(), calibration, options.threads(), progress);
    quantizer = quantizer.correcting(observations.channelMeans());
    Map<String, Range> ranges = ranges(plan, observations);
    keepStemIfFaster(plan, ranges);
    plan = QuantizationPlan.of(prepared, excluded);
    Graph quantised = Int8Quantizer.quantize(plan, ranges, quantizer);
    double drop = drop(evaluator, quantised);
    List<String> costly = List.of();
    int tried = 1;
    while (drop > options.maxDrop() && excludedLayers(plan) < allowed(plan)) {
      costly = costly.isEmpty() ? costliest(plan, ranges) : costly;
      int left = allowed(plan) - excludedLayers(plan);
      int more = Math.min(Math.min(tried, left), costly.size());
      if (more == 0) {
        break;
      }
      excluded.addAll(costly.subList(0, more));
      notes.add(
          "%.2f points lost, so left in float: %s"
              .formatted(drop, String.join(", ", costly.subList(0, more))));
      costly = costly.subList(more, costly.size());
      tried *= 2;
      plan = QuantizationPlan.of(prepared, excluded);
      quantised = Int8Quantizer.quantize(plan, ranges, quantizer);
      drop = drop(evaluator, quantised);
    }
    notes.add("%d layers quantised".formatted(plan.layers().size()));
    if (!plan.floatOperators().isEmpty()) {
      notes.add("operators in float: " + plan.floatOperators());
    }
    return new Variant(new VariantKind(VariantKind.Way.INT8, 0), quantised, notes);
  }

  private static Graph equalized(
      Graph original, DataSet data, int threads, Progress progress, List<String> notes) {
    Set<String> values = ChannelEqualization.values(original);
    if (values.isEmpty()) {
      return original;
    }
    Graph graph = original.copy();
    DataSet few = DataSets.spread(data, EQUALIZED_ITEMS);
    Observations seen = Observations.of(graph, values, few, threads, progress);
    notes.add(
        "values whose channels were equalised, before depthwise convolutions: "
            + ChannelEqualization.apply(graph, seen));
    return graph;
  }

  private double drop(Evaluator evaluator, Graph graph) {
    Scores scores = evaluator.evaluate("int8", graph.toModel().toByteArray());
    return scores.dropFrom(evaluator.original());
  }

  private Map<String, Range> ranges(QuantizationPlan plan, Observations observations) {
    if (options.calibration().isPresent()) {
      return observations.ranges(options.calibration().get());
    }
    DataSet few = DataSets.spread(calibration, COMPARED_ITEMS);
    Map<Calibration, Double> sqnr = new LinkedHashMap<>();
    for (Calibration method : Calibration.values()) {
      Graph graph = Int8Quantizer.quantize(plan, observations.ranges(method), quantizer);
      sqnr.put(method, Sensitivity.agreement(prepared, graph, few).sqnrDb());
      progress.at("comparing calibrations", sqnr.size(), Calibration.values().length);
    }
    Calibration best =
        Arrays.stream(Calibration.values())
            .max((a, b) -> Double.compare(get(sqnr, a), get(sqnr, b)))
            .orElseThrow();
    notes.add(
        "calibrated by %s; signal to noise of the outputs in dB: %s"
            .formatted(
                best.name().toLowerCase(Locale.ROOT),
                sqnr.entrySet().stream()
                    .map(
                        e ->
                            String.format(
                                Locale.ROOT,
                                "%s %.1f",
                                e.getKey().name().toLowerCase(Locale.ROOT),
                                e.getValue()))
                    .toList()));
    return observations.ranges(best);
  }

  private static double get(Map<Calibration, Double> sqnr, Calibration method) {
    return sqnr.getOrDefault(method, Double.NEGATIVE_INFINITY);
  }

  /**
   * The first convolution has three input channels, of which integer kernels make little and float
   * kernels a lot. Which is faster is measured.
   */
  private void keepStemIfFaster(QuantizationPlan plan, Map<String, Range> ranges) {
    Node stem = plan.layers().get(0);
    if (options.target() != Target.CPU || !stem.is("Conv") || channels(stem) > COLOURS) {
      return;
    }
    Set<String> without = new HashSet<>(excluded);
    without.add(stem.name());
    QuantizationPlan other = QuantizationPlan.of(prepared, without);
    if (!plan.values().containsAll(other.values())) {
      return;
    }
    Map<String, byte[]> models = new LinkedHashMap<>();
    models.put("all", Int8Quantizer.quantize(plan, ranges, quantizer).toModel().toByteArray());
    models.put("but", Int8Quantizer.quantize(other, ranges, quantizer).toModel().toByteArray());
    double speedUp =
        Speed.measure(
                models, calibration.sample(0).inputs(), List.of(1), options.threads(), STEM_TIMING)
            .getOrDefault("but", List.of())
            .stream()
            .mapToDouble(Speed.Point::speedUp)
            .findFirst()
            .orElse(1);
    if (speedUp > 1.02) {
      excluded.add(stem.name());
      notes.add(
          String.format(
              Locale.ROOT,
              "first layer %s left in float: %.2f times as fast with it",
              stem.name(),
              speedUp));
    }
  }

  private long channels(Node conv) {
    TensorProto weight = prepared.weight(conv.input(1));
    return weight == null ? Long.MAX_VALUE : weight.getDims(1);
  }

  private List<String> costliest(QuantizationPlan plan, Map<String, Range> ranges) {
    List<Sensitivity.Layer> layers =
        Sensitivity.measure(
            plan, ranges, quantizer, DataSets.spread(calibration, SENSITIVITY_ITEMS), progress);
    notes.add(
        "most sensitive layers: "
            + layers.stream()
                .limit(5)
                .map(l -> String.format(Locale.ROOT, "%s %.1f dB", l.name(), l.sqnrDb()))
                .toList());
    return layers.stream().map(Sensitivity.Layer::name).toList();
  }

  private int excludedLayers(QuantizationPlan now) {
    return QuantizationPlan.of(prepared, options.excluded()).layers().size() - now.layers().size();
  }

  /** Beyond half of the layers in float there is little left to gain. */
  private int allowed(QuantizationPlan now) {
    return (excludedLayers(now) + now.layers().size()) / 2;
  }
}
