package dev.conveyor.verticles.bench.suite;

import dev.conveyor.models.optimize.ModelSource;
import dev.conveyor.models.optimize.OptimizeOptions;
import dev.conveyor.models.optimize.Optimizer;
import dev.conveyor.models.optimize.Progress;
import dev.conveyor.models.optimize.Report;
import dev.conveyor.models.optimize.VariantKind;
import dev.conveyor.models.optimize.VariantReport;
import dev.conveyor.models.optimize.evaluate.Speed;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.OnnxFile;
import dev.conveyor.models.optimize.graph.Preparation;
import dev.conveyor.models.optimize.sparsity.Pruning;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The demonstration's models, quantised, on held-out pictures that are made for the purpose.
 *
 * <p>Not thread-safe: owned by the suite. Each model is optimised once, by the first row that wants
 * it.
 */
final class DemoVariantRows {

  private static final String CLASSIFIER = "surface_classifier";
  private static final String SEGMENTER = "surface_segmenter";
  private static final int CALIBRATION = 200;
  private static final int PICTURES = 1000;
  private static final Duration MAKING = Duration.ofMinutes(8);

  private final Lab lab;
  private final Map<String, Run> runs = new HashMap<>();
  private @Nullable Path pictures;

  DemoVariantRows(Lab lab) {
    this.lab = lab;
  }

  /** What one optimisation gave and how long its quantisation took. */
  private record Run(Report report, double quantiseSeconds, int progressCalls) {

    VariantReport variant(String name) {
      return report.variant(name).orElseThrow();
    }
  }

  List<SuiteRow> rows() {
    List<SuiteRow> rows = new ArrayList<>();
    for (String model : List.of(CLASSIFIER, SEGMENTER)) {
      rows.add(
          new SuiteRow(
              model + ", INT8: accuracy lost on held-out pictures",
              Target.atMost(0.5, "points"),
              () -> new Measured(int8(model).drop(), accuracy(model))));
      rows.add(
          new SuiteRow(
              model + ", INT8: CPU time of FP32 / of INT8, one thread, better of batch 1 and 8",
              Target.atLeast(1.8, ""),
              () -> new Measured(int8(model).bestSpeedUp(), speed(model))));
      rows.add(
          new SuiteRow(
              model + ", INT8: size / FP32",
              Target.atMost(0.30, ""),
              () -> new Measured(int8(model).sizeRatio(), size(model, "int8"))));
      rows.add(
          new SuiteRow(
              model + ", FP16: size / FP32",
              Target.atMost(0.51, ""),
              () -> new Measured(run(model).variant("fp16").sizeRatio(), size(model, "fp16"))));
      rows.add(
          new SuiteRow(
              model + ", FP16: worst difference / largest output",
              Target.atMost(1e-2, ""),
              () -> {
                VariantReport fp16 = run(model).variant("fp16");
                return new Measured(
                    fp16.scores().agreement().worstRelativeError(),
                    run(model).report().data() + "; " + String.join("; ", fp16.notes()));
              }));
      rows.add(
          new SuiteRow(
              model + ", 2:4 pruned: eligible layers with the pattern",
              Target.atLeast(100, "%"),
              () -> sparse(model)));
    }
    rows.add(
        new SuiteRow(
            CLASSIFIER + ": time to quantise with 200 pictures",
            Target.atMost(60, "s"),
            () -> {
              Run run = run(CLASSIFIER);
              return new Measured(
                  run.quantiseSeconds(),
                  "wall time of calibration, choice of method and evaluation; %d reports of progress"
                      .formatted(run.progressCalls()));
            }));
    return rows;
  }

  /** Returns the INT8 variant of a demonstration model. */
  VariantReport int8(String model) throws Exception {
    return run(model).variant("int8");
  }

  private Run run(String model) throws Exception {
    Run known = runs.get(model);
    if (known != null) {
      return known;
    }
    ModelSource source = ModelSource.open(home().resolve(model), Optional.empty(), pictures());
    int[] calls = {0};
    long start = System.nanoTime();
    double[] quantised = {0};
    Progress progress =
        (step, done, total) -> {
          calls[0]++;
          if (step.startsWith("making fp16")) {
            quantised[0] = (System.nanoTime() - start) / 1e9;
          }
        };
    Report report = new Optimizer(options(), progress).optimize(source);
    Run made = new Run(report, quantised[0], calls[0]);
    runs.put(model, made);
    return made;
  }

  private OptimizeOptions options() {
    return new OptimizeOptions(
        List.of(VariantKind.parse("int8"), VariantKind.parse("fp16")),
        dev.conveyor.models.optimize.quantize.Target.CPU,
        Optional.empty(),
        CALIBRATION,
        0.5,
        0.01,
        0.5,
        1,
        Set.of(),
        1,
        List.of(1, 8),
        lab.duration());
  }

  private String accuracy(String model) throws Exception {
    Report report = run(model).report();
    return String.format(
        Locale.ROOT,
        "%s %.2f %% in FP32, %.2f %% in INT8; %s; %s",
        report.scores().metric(),
        report.scores().percent(),
        int8(model).scores().percent(),
        report.data(),
        String.join("; ", int8(model).notes()));
  }

  private String speed(String model) throws Exception {
    List<String> points = new ArrayList<>();
    for (Speed.Point point : int8(model).speed()) {
      points.add(
          String.format(
              Locale.ROOT,
              "batch %d: %.2f times as fast, p50 %.2f ms",
              point.batch(),
              point.speedUp(),
              point.medianNs() / 1e6));
    }
    return String.join("; ", points);
  }

  private String size(String model, String variant) throws Exception {
    Run run = run(model);
    return "%,d of %,d bytes".formatted(run.variant(variant).model().length, run.report().bytes());
  }

  private static Measured sparse(String model) {
    Path file = home().resolve(model).resolve("1").resolve("model.onnx");
    Graph prepared = Preparation.prepare(OnnxFile.read(file)).graph();
    Pruning.Result pruned = Pruning.twoOfFour(prepared, Set.of());
    List<String> eligible = Pruning.eligible(pruned.graph());
    List<String> verified = Pruning.verified(pruned.graph());
    return new Measured(
        100.0 * verified.size() / eligible.size(),
        "%d of %d eligible layers".formatted(verified.size(), eligible.size()));
  }

  /** Returns the repository of the demonstration's models. */
  static Path home() {
    return Path.of(System.getProperty("conveyor.home", "."), "conf", "models");
  }

  /** Has the held-out pictures made, which takes a minute, once. */
  private Path pictures() throws IOException, InterruptedException {
    Path made = pictures;
    if (made != null) {
      return made;
    }
    Path script =
        Path.of(System.getProperty("conveyor.home", "."), "scripts", "demo-data").toAbsolutePath();
    Path folder = lab.scratch().resolve("demo-data");
    Path output = Files.createTempFile(lab.scratch(), "demo-data", ".out");
    try {
      Programs.run(
          List.of(
              script.toString(),
              folder.toString(),
              "--images",
              Integer.toString(PICTURES + CALIBRATION)),
          output,
          MAKING);
    } catch (IOException e) {
      throw new CannotMeasureException(
          "%s cannot be run; it needs Python 3 with numpy and Pillow: %s"
              .formatted(script, e.getMessage()));
    }
    pictures = folder;
    return folder;
  }
}
