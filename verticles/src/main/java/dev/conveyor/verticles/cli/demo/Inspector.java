package dev.conveyor.verticles.cli.demo;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.RequestTensor;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import java.util.ArrayList;
import java.util.List;

/** Asks both models about the same images. Thread-safe. */
final class Inspector {

  static final String CLASSIFIER = "surface_classifier";
  static final String SEGMENTER = "surface_segmenter";

  private static final float DEFECT_THRESHOLD = 0.5f;

  private final InferClient client;
  private final List<String> labels;

  /**
   * Creates an inspector.
   *
   * @param labels the classes, in the order of the classifier's output
   */
  Inspector(InferClient client, List<String> labels) {
    this.client = client;
    this.labels = List.copyOf(labels);
  }

  String protocol() {
    return client.protocol();
  }

  /** Asks both models at once. */
  Future<List<Verdict>> inParallel(List<DemoImage> images) {
    Future<Buffer> probabilities = client.infer(classification(images));
    Future<Buffer> masks = client.infer(segmentation(images));
    return Future.join(probabilities, masks)
        .map(both -> verdicts(images.size(), probabilities.result(), masks.result()));
  }

  /** Asks the second model when the first has answered. */
  Future<List<Verdict>> oneAfterTheOther(List<DemoImage> images) {
    return client
        .infer(classification(images))
        .compose(
            probabilities ->
                client
                    .infer(segmentation(images))
                    .map(masks -> verdicts(images.size(), probabilities, masks)));
  }

  private static InferPayload classification(List<DemoImage> images) {
    return payload(CLASSIFIER, "probabilities", images);
  }

  private static InferPayload segmentation(List<DemoImage> images) {
    return payload(SEGMENTER, "mask", images);
  }

  private static InferPayload payload(String model, String output, List<DemoImage> images) {
    Buffer data = Buffer.buffer();
    for (DemoImage image : images) {
      data.appendIntLE(image.jpeg().length()).appendBuffer(image.jpeg());
    }
    RequestTensor input =
        new RequestTensor("image", DataType.BYTES, Shape.of(images.size(), 1), data);
    return new InferPayload(model, List.of(input), List.of(output), images.size());
  }

  /** Reads {@code [n, classes]} probabilities and {@code [n, 1, height, width]} masks. */
  private List<Verdict> verdicts(int count, Buffer probabilities, Buffer masks) {
    int classes = labels.size();
    if (probabilities.length() != count * classes * Float.BYTES
        || masks.length() == 0
        || masks.length() % (count * Float.BYTES) != 0) {
      throw new DemoException(
          "unexpected answer about %d images: %d bytes of probabilities, %d of masks"
              .formatted(count, probabilities.length(), masks.length()));
    }
    int pixels = masks.length() / (count * Float.BYTES);
    List<Verdict> verdicts = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      int best = 0;
      for (int c = 1; c < classes; c++) {
        if (at(probabilities, i * classes + c) > at(probabilities, i * classes + best)) {
          best = c;
        }
      }
      int defect = 0;
      for (int p = 0; p < pixels; p++) {
        defect += at(masks, i * pixels + p) >= DEFECT_THRESHOLD ? 1 : 0;
      }
      verdicts.add(
          new Verdict(
              labels.get(best), at(probabilities, i * classes + best), (double) defect / pixels));
    }
    return verdicts;
  }

  private static float at(Buffer floats, int index) {
    return floats.getFloatLE(index * Float.BYTES);
  }
}
