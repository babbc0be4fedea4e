package dev.conveyor.models.optimize;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.onnx.OnnxSession;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.DataSets;
import dev.conveyor.models.optimize.evaluate.Evaluator;
import dev.conveyor.models.optimize.evaluate.Scores;
import dev.conveyor.models.optimize.evaluate.Speed;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.OnnxFile;
import dev.conveyor.models.optimize.graph.OnnxRules;
import dev.conveyor.models.optimize.graph.Preparation;
import dev.conveyor.models.optimize.precision.BrainWeights;
import dev.conveyor.models.optimize.quantize.ProductQuantizer;
import dev.conveyor.models.optimize.quantize.Target;
import dev.conveyor.models.optimize.sparsity.ChannelPruning;
import dev.conveyor.models.optimize.sparsity.Pruning;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Makes variants of a model and judges each against the original, on data and on this machine.
 *
 * <p>Thread-confined; blocks for as long as it takes. Writes nothing: {@link RepositoryWriter}
 * does, with what the report recommends.
 */
public final class Optimizer {

  private final OptimizeOptions options;
  private final Progress progress;

  public Optimizer(OptimizeOptions options, Progress progress) {
    this.options = options;
    this.progress = progress;
  }

  /**
   * Makes and judges all variants asked for.
   *
   * @throws OptimizeException if the model or the data cannot be worked with
   */
  public Report optimize(ModelSource source) {
    Preparation.Prepared prepared = Preparation.prepare(OnnxFile.read(source.file()));
    DataSets.Split split = DataSets.split(source.data(), options.calibrationItems());
    Evaluator evaluator =
        new Evaluator(
            source.bytes(), split.evaluation(), options.threads(), options.minScore(), progress);
    List<Variant> variants = new ArrayList<>();
    for (VariantKind kind : options.variants()) {
      variants.add(make(kind, prepared.graph(), split.calibration(), evaluator));
    }
    String data =
        "%d items for calibration, %s%d for evaluation (%s)"
            .formatted(
                split.calibration().size(),
                split.shared() ? "which are among the " : "",
                split.evaluation().size(),
                evaluator.original().labelled() ? "labelled" : "no labels: agreement counts");
    return judge(source, evaluator, variants, data, prepared.notes());
  }

  /**
   * Compares two models that take the same, a teacher and its student, by the same report.
   *
   * @param teacher with the data
   */
  public Report compare(ModelSource teacher, ModelSource student) {
    Evaluator evaluator =
        new Evaluator(
            teacher.bytes(), teacher.data(), options.threads(), options.minScore(), progress);
    Map<String, byte[]> models = new LinkedHashMap<>();
    models.put("student", student.bytes());
    String data = evaluator.items() + " items for evaluation";
    return judge(
        teacher, evaluator, models, Map.of(), Map.of("student", List.of()), data, List.of());
  }

  private Variant make(VariantKind kind, Graph prepared, DataSet calibration, Evaluator evaluator) {
    progress.at("making " + kind.label(), 0, 1);
    return switch (kind.way()) {
      case FP16, FP16_IO ->
          new HalfVariant(kind, prepared, calibration, options, progress).make(evaluator);
      case BF16 ->
          new Variant(
              kind,
              BrainWeights.convert(prepared, options.excluded()),
              List.of("weights stored in BF16, computed in FP32"));
      case INT8 -> new Int8Variant(prepared, calibration, options, progress).make(evaluator);
      case INT8_DYNAMIC, INT8_WEIGHTS -> products(kind, prepared);
      case SPARSE_2_4 -> pruned(kind, Pruning.twoOfFour(prepared, options.excluded()));
      case UNSTRUCTURED ->
          pruned(kind, Pruning.unstructured(prepared, kind.share(), options.excluded()));
      case CHANNELS ->
          pruned(kind, ChannelPruning.prune(prepared, kind.share(), options.excluded()));
    };
  }

  private Variant products(VariantKind kind, Graph prepared) {
    boolean dynamic = kind.way() == VariantKind.Way.INT8_DYNAMIC;
    boolean narrow = options.target() == Target.CPU && !Vnni.isHere();
    ProductQuantizer.Result result =
        ProductQuantizer.quantize(prepared, dynamic, narrow ? 64 : 127, options.excluded());
    if (result.products() == 0) {
      throw new OptimizeException(
          kind.label() + ": the model has no product (MatMul, Gemm) with constant weights");
    }
    return new Variant(
        kind, result.graph(), List.of(result.products() + " matrix products quantised"));
  }

  private static Variant pruned(VariantKind kind, Pruning.Result result) {
    if (result.layers().isEmpty()) {
      throw new OptimizeException(kind.label() + ": no layer of the model is eligible");
    }
    return new Variant(kind, result.graph(), List.of(result.layers().size() + " layers pruned"));
  }

  private Report judge(
      ModelSource source,
      Evaluator evaluator,
      List<Variant> variants,
      String data,
      List<String> preparation) {
    Map<String, byte[]> models = new LinkedHashMap<>();
    Map<String, VariantKind> kinds = new LinkedHashMap<>();
    Map<String, List<String>> notes = new LinkedHashMap<>();
    for (Variant variant : variants) {
      models.put(variant.kind().label(), variant.bytes());
      kinds.put(variant.kind().label(), variant.kind());
      notes.put(variant.kind().label(), variant.notes());
    }
    return judge(source, evaluator, models, kinds, notes, data, preparation);
  }

  private Report judge(
      ModelSource source,
      Evaluator evaluator,
      Map<String, byte[]> models,
      Map<String, VariantKind> kinds,
      Map<String, List<String>> notes,
      String data,
      List<String> preparation) {
    Map<String, byte[]> timed = new LinkedHashMap<>();
    timed.put("original", source.bytes());
    timed.putAll(models);
    List<Integer> batches = source.batches() ? options.batches() : List.of(1);
    progress.at("measuring speed", 0, 1);
    Map<String, List<Speed.Point>> speed =
        Speed.measure(timed, evaluator.anInput(), batches, options.threads(), options.timing());
    progress.at("measuring speed", 1, 1);
    List<VariantReport> reports = new ArrayList<>();
    models.forEach(
        (name, model) -> {
          Scores scores = evaluator.evaluate(name, model);
          VariantReport report =
              new VariantReport(
                  name,
                  model,
                  (double) model.length / source.bytes().length,
                  scores,
                  scores.dropFrom(evaluator.original()),
                  speed.getOrDefault(name, List.of()),
                  List.of(),
                  notes.getOrDefault(name, List.of()));
          reports.add(verdict(report, kinds.get(name)));
        });
    return new Report(
        source.file().toString(),
        source.bytes().length,
        evaluator.original(),
        speed.getOrDefault("original", List.of()),
        data,
        options.threads(),
        preparation,
        reports);
  }

  private VariantReport verdict(VariantReport report, @Nullable VariantKind kind) {
    List<String> failures = new ArrayList<>();
    // What others made is compared as it is.
    for (String problem : kind == null ? List.<String>of() : brokenRules(report.model())) {
      failures.add("breaks a rule of ONNX: " + problem);
    }
    // Written so that a NaN fails.
    if (!(report.drop() <= options.maxDrop())) {
      failures.add(
          String.format(
              Locale.ROOT,
              "loses %.2f points of %s, at most %.2f are allowed",
              report.drop(),
              report.scores().metric(),
              options.maxDrop()));
    }
    double difference = report.scores().agreement().worstRelativeError();
    if (kind != null && kind.isHalf() && !(difference <= options.maxDifference())) {
      failures.add(
          String.format(
              Locale.ROOT,
              "an output differs by %.4f of the largest, at most %.4f is allowed",
              difference,
              options.maxDifference()));
    }
    boolean forThisCpu = kind != null && kind.isForSpeed() && options.target() == Target.CPU;
    if (forThisCpu && !(report.bestSpeedUp() >= options.minSpeedUp())) {
      failures.add(
          String.format(
              Locale.ROOT,
              "%.2f times as fast as the original, at least %.2f is expected",
              report.bestSpeedUp(),
              options.minSpeedUp()));
    }
    return new VariantReport(
        report.name(),
        report.model(),
        report.sizeRatio(),
        report.scores(),
        report.drop(),
        report.speed(),
        failures,
        report.notes());
  }

  /** Returns the rules of ONNX that a file breaks. */
  private static List<String> brokenRules(byte[] model) {
    try {
      return OnnxRules.check(ModelProto.parseFrom(model));
    } catch (InvalidProtocolBufferException e) {
      return List.of("not an ONNX model: " + e.getMessage());
    }
  }

  /** Sees whether a model keeps the rules of ONNX and ONNX Runtime takes it. */
  static void requireLoadable(String what, byte[] model) {
    List<String> broken = brokenRules(model);
    if (!broken.isEmpty()) {
      throw new OptimizeException(what + ": not written: breaks the rules of ONNX: " + broken);
    }
    try {
      new OnnxSession(what, model, OnnxSession.Options.threads(1)).close();
    } catch (ModelLoadException e) {
      throw new OptimizeException("not written: ONNX Runtime refuses it: " + e.getMessage(), e);
    }
  }
}
