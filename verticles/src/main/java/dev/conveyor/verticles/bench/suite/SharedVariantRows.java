package dev.conveyor.verticles.bench.suite;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.onnx.OnnxSession;
import dev.conveyor.models.optimize.ModelSource;
import dev.conveyor.models.optimize.OptimizeOptions;
import dev.conveyor.models.optimize.Optimizer;
import dev.conveyor.models.optimize.Progress;
import dev.conveyor.models.optimize.VariantKind;
import dev.conveyor.models.optimize.VariantReport;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.DataSets;
import dev.conveyor.models.optimize.evaluate.Detections;
import dev.conveyor.models.optimize.evaluate.Speed;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.OnnxFile;
import dev.conveyor.models.optimize.graph.Preparation;
import dev.conveyor.models.optimize.quantize.Calibration;
import dev.conveyor.models.optimize.quantize.Int8Quantizer;
import dev.conveyor.models.optimize.quantize.Observations;
import dev.conveyor.models.optimize.quantize.QuantizationPlan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Models of known shapes, quantised: how much faster they are, and whether a detector finds what it
 * found. Not thread-safe: owned by the suite.
 */
final class SharedVariantRows {

  private static final String DETECTOR = "ultraface_rfb_320.onnx";
  private static final float SURE = 0.7f;
  private static final int CALIBRATION = 200;
  private static final int FACE_HEIGHT = 240;
  private static final int FACE_WIDTH = 320;
  private static final int CROPS_PER_PHOTO = 40;

  /** So much larger than the model's input are the photos that crops are taken from. */
  private static final int CROPPED_FROM = 3;

  private final Lab lab;

  SharedVariantRows(Lab lab) {
    this.lab = lab;
  }

  /** A model before and after. */
  private record Pair(Graph prepared, Graph quantised, DataSet photos) {}

  List<SuiteRow> rows() {
    return List.of(
        speedRow("squeezenet11_random.onnx", 1.9),
        speedRow("resnet50.onnx", 2.8),
        new SuiteRow(
            DETECTOR + ", INT8: least overlap (IoU) of a face with the same face in FP32",
            Target.atLeast(0.9, ""),
            () -> faces(false)),
        new SuiteRow(
            DETECTOR + ", INT8, the photos held out: least overlap (IoU) of a face",
            Target.atLeast(0.9, ""),
            () -> faces(true)));
  }

  private SuiteRow speedRow(String file, double target) {
    return new SuiteRow(
        file + ", INT8 (u8s8): throughput / FP32, one thread",
        Target.atLeast(target, ""),
        () -> speed(file));
  }

  private Measured speed(String file) {
    Pair pair = quantise(file, imagenet(), Calibration.MINMAX);
    Map<String, byte[]> models = new LinkedHashMap<>();
    models.put("fp32", pair.prepared().toModel().toByteArray());
    models.put("int8", pair.quantised().toModel().toByteArray());
    List<Speed.Point> points =
        Speed.measure(models, pair.photos().sample(0).inputs(), List.of(1), 1, lab.duration())
            .getOrDefault("int8", List.of());
    return new Measured(
        points.get(0).speedUp(),
        String.format(
            Locale.ROOT,
            "median ratio of CPU time over runs in turns, batch 1, INT8 p50 %.2f ms",
            points.get(0).medianNs() / 1e6));
  }

  private Pair quantise(String file, Preprocessing preprocessing, Calibration calibration) {
    Path path = lab.modelFile(file);
    Graph prepared = Preparation.prepare(OnnxFile.read(path)).graph();
    DataSet photos = open(prepared.toModel().toByteArray(), path, preprocessing);
    QuantizationPlan plan = QuantizationPlan.of(prepared, Set.of());
    Observations seen = Observations.of(prepared, plan.values(), photos, 1, Progress.NONE);
    Graph quantised =
        Int8Quantizer.quantize(
            plan,
            seen.ranges(calibration),
            new Int8Quantizer.Options(
                dev.conveyor.models.optimize.quantize.Target.CPU, 127, seen.channelMeans()));
    return new Pair(prepared, quantised, photos);
  }

  /** Opens the photos of the test data for a model with one input. */
  private static DataSet open(byte[] model, Path file, Preprocessing preprocessing) {
    try (OnnxSession session =
        new OnnxSession(file.toString(), model, OnnxSession.Options.threads(1))) {
      List<TensorSpec> inputs = session.inputs();
      Preprocessing block = named(preprocessing, inputs.get(0).name());
      return DataSets.open(photos(file), inputs, List.of(block), List.of());
    }
  }

  private static Path photos(Path model) {
    return model.toAbsolutePath().resolveSibling("..").resolve("images").normalize();
  }

  /**
   * What the command makes of the model, with these photos as its data, or with crops of them, so
   * that it has seen none of what it is measured on.
   */
  private Measured faces(boolean heldOut) throws IOException {
    Path file = lab.modelFile(DETECTOR);
    byte[] original = Files.readAllBytes(file);
    DataSet photos = open(original, file, faceSized(1));
    DataSet data = heldOut ? crops(file) : photos;
    ModelSource source = new ModelSource(file, original, Optional.empty(), false, data);
    VariantReport int8 =
        new Optimizer(options(heldOut ? data.size() / 2 : CALIBRATION), Progress.NONE)
            .optimize(source)
            .variant("int8")
            .orElseThrow();
    double worst = 1;
    int lost = 0;
    List<String> counts = new ArrayList<>();
    try (OnnxSession before = session(original);
        OnnxSession after = session(int8.model())) {
      for (int i = 0; i < photos.size(); i++) {
        List<Tensor> input = photos.sample(i).inputs();
        List<Detections.Found> real = Detections.of(before.run(input), SURE);
        List<Detections.Found> found = Detections.of(after.run(input), SURE);
        counts.add(real.size() + " and " + found.size());
        lost += Math.abs(real.size() - found.size());
        for (Detections.Found face : real) {
          worst =
              Math.min(
                  worst, found.stream().mapToDouble(f -> f.box().iou(face.box())).max().orElse(0));
        }
      }
    }
    return new Measured(
        lost == 0 ? worst : 0,
        String.format(
            Locale.ROOT,
            "%s faces in FP32 and INT8, photo by photo, %s calibrated and gated on; least overlap"
                + " %.3f; 0 if the numbers differ; %.2f of the size, %.2f times as fast; %s",
            counts,
            heldOut
                ? "none of which, but %d crops of them, it was".formatted(data.size())
                : "which are also what it was",
            worst,
            int8.sizeRatio(),
            int8.bestSpeedUp(),
            String.join("; ", int8.notes())));
  }

  /** Half of them calibrate, half decide which layers stay in float. */
  private static DataSet crops(Path model) {
    Shape large = Shape.of(1, 3, CROPPED_FROM * FACE_HEIGHT, CROPPED_FROM * FACE_WIDTH);
    Preprocessing block = faceSized(CROPPED_FROM);
    DataSet photos =
        DataSets.open(
            photos(model),
            List.of(new TensorSpec("input", DataType.FP32, large)),
            List.of(named(block, "input")),
            List.of());
    return new PhotoCrops(
        photos, CROPS_PER_PHOTO, FACE_HEIGHT, FACE_WIDTH, -127 / 128f, (255 - 127) / 128f);
  }

  private static Preprocessing faceSized(int times) {
    return preprocessing(
        times * FACE_HEIGHT, times * FACE_WIDTH, List.of(127.0, 127.0, 127.0), 1 / 128.0);
  }

  private OptimizeOptions options(int calibration) {
    return new OptimizeOptions(
        List.of(VariantKind.parse("int8")),
        dev.conveyor.models.optimize.quantize.Target.CPU,
        Optional.empty(),
        calibration,
        0.5,
        0.01,
        SURE,
        1,
        Set.of(),
        1,
        List.of(1),
        lab.duration());
  }

  private static OnnxSession session(byte[] model) {
    return new OnnxSession("faces", model, OnnxSession.Options.threads(1));
  }

  private static Preprocessing imagenet() {
    return preprocessing(224, 224, List.of(123.675, 116.28, 103.53), 1 / 57.4);
  }

  private static Preprocessing preprocessing(
      int height, int width, List<Double> mean, double scale) {
    return new Preprocessing(
        "image",
        Preprocessing.Mode.RESIZE,
        height,
        width,
        Preprocessing.Color.RGB,
        Preprocessing.Layout.NCHW,
        DataType.FP32,
        mean,
        List.of(scale, scale, scale),
        0);
  }

  private static Preprocessing named(Preprocessing block, String input) {
    return new Preprocessing(
        input,
        block.mode(),
        block.height(),
        block.width(),
        block.color(),
        block.layout(),
        block.dataType(),
        block.mean(),
        block.scale(),
        block.padValue());
  }
}
