package dev.conveyor.verticles.bench.suite;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.image.ImageHeader;
import dev.conveyor.models.image.ImagePreprocessor;
import dev.conveyor.models.onnx.OnnxBackend;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Whether a served pipeline finds the faces that its steps find when they are done by hand: decoded
 * here, run here, and suppressed by the plainest loop there is.
 *
 * <p>Not thread-safe: owned by the suite.
 */
final class FacesRow {

  private static final String DETECTOR = "ultraface";
  private static final int FRAME_WIDTH = 320;
  private static final int FRAME_HEIGHT = 240;
  private static final int MAX_PIXELS = 50_000_000;

  private final Lab lab;

  FacesRow(Lab lab) {
    this.lab = lab;
  }

  /** A face in pixels of the photo. */
  private record Face(double x1, double y1, double x2, double y2, double score) {

    double overlap(Face other) {
      double width = Math.min(x2, other.x2) - Math.max(x1, other.x1);
      double height = Math.min(y2, other.y2) - Math.max(y1, other.y1);
      if (width <= 0 || height <= 0) {
        return 0;
      }
      double common = width * height;
      double all = (x2 - x1) * (y2 - y1) + (other.x2 - other.x1) * (other.y2 - other.y1);
      return common / (all - common);
    }
  }

  private record One(List<Tensor> inputs) implements BatchRequest {
    @Override
    public int batchSize() {
      return 1;
    }
  }

  Measured measure() throws Exception {
    Path model = lab.modelFile("ultraface_rfb_320.onnx");
    JsonObject config =
        PipelineConfigs.images(TestRepository.config(0, 1, 1), "input", FRAME_WIDTH, FRAME_HEIGHT);
    TestRepository repository = lab.repository();
    repository.add(DETECTOR, model, config);
    repository.addConfig("faces", PipelineConfigs.faces(DETECTOR));
    List<Path> photos;
    try (Stream<Path> files = Files.list(model.resolveSibling("../images").normalize())) {
      photos = files.filter(file -> file.toString().endsWith(".jpg")).sorted().toList();
    }
    double least = 1;
    int faces = 0;
    try (ServerProcess server = lab.startServer(repository, List.of())) {
      for (Path photo : photos) {
        byte[] image = Files.readAllBytes(photo);
        List<Face> expected =
            byHand(model, ModelConfigReader.read(DETECTOR, config.encode()), image);
        List<Face> served = parse(server.answer("faces", "photo", image));
        faces += expected.size();
        least = Math.min(least, agreement(expected, served));
      }
    }
    if (faces == 0) {
      throw new CannotMeasureException("no face in the photos of the test data");
    }
    return new Measured(
        least,
        String.format(
            Locale.ROOT,
            "%d photos, %d faces with a score of 0.7 or more, overlapping by at most 0.3; every"
                + " face with its counterpart, 0 if their numbers differ",
            photos.size(),
            faces));
  }

  private static double agreement(List<Face> expected, List<Face> served) {
    if (expected.size() != served.size()) {
      return 0;
    }
    double least = 1;
    for (Face face : expected) {
      least = Math.min(least, served.stream().mapToDouble(face::overlap).max().orElse(0));
    }
    return least;
  }

  private static List<Face> byHand(Path model, ModelConfig config, byte[] image) {
    ImagePreprocessor decoder =
        new ImagePreprocessor(config.extensions().preprocessing().get(0), MAX_PIXELS);
    ByteBuffer encoded = ByteBuffer.allocateDirect(image.length).put(image).flip();
    ByteBuffer pixels =
        ByteBuffer.allocateDirect(decoder.outputBytesPerImage()).order(ByteOrder.LITTLE_ENDIAN);
    decoder.process(encoded, pixels, 0);
    Tensor input =
        Tensor.of(
            "input", decoder.outputType(), decoder.outputShape().withBatch(1), pixels.duplicate());
    MemoryBudget budget = new MemoryBudget("CPU", Long.MAX_VALUE);
    ImageHeader header = ImageHeader.read(encoded);
    try (LoadedModel loaded =
            new OnnxBackend().load(model, new LoadOptions("by hand", 1, budget, Map.of()));
        ModelExecutor executor = loaded.newExecutor(0)) {
      List<Tensor> outputs = executor.execute(List.of(new One(List.of(input)))).outputs().get(0);
      List<Face> found = candidates(outputs, header.width(), header.height());
      outputs.forEach(Tensor::close);
      return suppress(found);
    }
  }

  private static List<Face> candidates(List<Tensor> outputs, int width, int height) {
    ByteBuffer scores = outputs.get(0).data();
    ByteBuffer boxes = outputs.get(1).data();
    List<Face> found = new ArrayList<>();
    for (int i = 0; i < scores.limit() / 8; i++) {
      float score = scores.getFloat(8 * i + 4);
      if (score >= 0.7f) {
        found.add(
            new Face(
                boxes.getFloat(16 * i) * width,
                boxes.getFloat(16 * i + 4) * height,
                boxes.getFloat(16 * i + 8) * width,
                boxes.getFloat(16 * i + 12) * height,
                score));
      }
    }
    return found;
  }

  private static List<Face> suppress(List<Face> found) {
    List<Face> left = new ArrayList<>(found);
    List<Face> kept = new ArrayList<>();
    while (!left.isEmpty()) {
      Face best = left.get(0);
      for (Face face : left) {
        best = face.score() > best.score() ? face : best;
      }
      Face winner = best;
      kept.add(winner);
      left.removeIf(face -> face.equals(winner) || face.overlap(winner) > 0.3);
    }
    return kept;
  }

  private static List<Face> parse(JsonObject answer) {
    JsonArray outputs = answer.getJsonArray("outputs");
    JsonArray boxes = outputs.getJsonObject(0).getJsonArray("data");
    JsonArray scores = outputs.getJsonObject(1).getJsonArray("data");
    int count = outputs.getJsonObject(2).getJsonArray("data").getInteger(0);
    List<Face> faces = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      faces.add(
          new Face(
              boxes.getDouble(4 * i),
              boxes.getDouble(4 * i + 1),
              boxes.getDouble(4 * i + 2),
              boxes.getDouble(4 * i + 3),
              scores.getDouble(i)));
    }
    return faces;
  }
}
