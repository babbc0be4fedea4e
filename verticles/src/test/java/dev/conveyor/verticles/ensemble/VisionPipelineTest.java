package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.bus.InferenceClient;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Detections to crops, photos of mixed sizes, large images in tiles; and what is wrong in them. */
final class VisionPipelineTest extends ServerCase {

  private static final float NAN = Float.NaN;

  private static InferenceClient client;

  @BeforeAll
  static void start() {
    TestModels models = new TestModels(dir).identity("look", DataType.FP32, "batch", 1, 4, 4);
    models.config("crops", CropsEnsemble.config(""));
    models.config("photos", PhotosEnsemble.config());
    models.config(
        "tiles",
        """
        {"platform": "ensemble",
         "input": [{"name": "IMAGE", "data_type": "TYPE_FP32", "dims": [1, 1, -1, -1]}],
         "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [1, 1, -1, -1]}],
         "ensemble_scheduling": {"step": [
           {"model_name": "conveyor.tile", "input_map": {"image": "IMAGE"},
            "output_map": {"tiles": "tiles", "origins": "origins", "size": "size"}},
           {"model_name": "look", "input_map": {"INPUT0": "tiles"},
            "output_map": {"OUTPUT0": "seen"}},
           {"model_name": "conveyor.stitch",
            "input_map": {"tiles": "seen", "origins": "origins", "size": "size"},
            "output_map": {"image": "OUT"}}]},
         "parameters": {"step[0].width": {"string_value": "4"},
           "step[0].height": {"string_value": "4"}, "step[0].overlap": {"string_value": "1"}},
         "conveyor": {"ensemble_step": [{"step": 1, "for_each": ["INPUT0"]},
           {"step": 2, "join": true}]}}""");
    serve(models);
    client = InferenceClient.create(server.vertx());
  }

  @Test
  void shouldCutOutWhatWasDetectedBestFirst() {
    InferenceResponse answer =
        crops(new float[] {0, 0, 4, 4, 4, 4, 8, 8}, new float[] {0.6f, 0.9f});
    assertThat(Requests.floats(answer.outputs().get(0))).containsExactly(4, 4, 8, 8, 0, 0, 4, 4);
    assertThat(answer.outputs().get(1).shape()).isEqualTo(Shape.of(2, 1, 4, 4));
    float[] pixels = Requests.floats(answer.outputs().get(1));
    assertThat(pixels[0]).isEqualTo(4 * 8 + 4);
    assertThat(pixels[16]).isZero();
    assertThat(pixels[31]).isEqualTo(3 * 8 + 3);
  }

  @Test
  void shouldAnswerWithoutRowsWhereNothingIsDetectedOrOnlyNonsense() {
    float[] boxes = {0, 0, 4, 4, NAN, 0, 2, 2, 3, 3, 3, 8, 0, 0, NAN, NAN};
    InferenceResponse answer = crops(boxes, new float[] {0.1f, 0.9f, 0.9f, NAN});
    assertThat(answer.outputs().get(0).shape()).isEqualTo(Shape.of(0, 4));
    assertThat(answer.outputs().get(1).shape()).isEqualTo(Shape.of(0, 1, 4, 4));
    InferenceResponse none = crops(new float[0], new float[0]);
    assertThat(none.outputs().get(1).shape()).isEqualTo(Shape.of(0, 1, 4, 4));
  }

  @Test
  void shouldRefuseTenThousandDetectionsWhereFewerAreAllowed() {
    float[] boxes = new float[40_000];
    float[] scores = new float[10_000];
    for (int i = 0; i < scores.length; i++) {
      boxes[4 * i + 2] = 1 + i % 8;
      boxes[4 * i + 3] = 1 + i % 7;
      scores[i] = 0.9f;
    }
    assertThatThrownBy(() -> crops(boxes, scores))
        .cause()
        .hasMessage(
            "ensemble 'crops': step 2 (model 'conveyor.crop'): 10000 items,"
                + " at most max_items=256 are taken");
  }

  @Test
  void shouldTakePhotosOfMixedSizesInOneRequest() throws IOException {
    InferenceResponse answer = photos(png(3, 2), png(9, 5), png(4, 4));
    assertThat(answer.outputs().get(0).shape()).isEqualTo(Shape.of(3, 1, 4, 4));
    ByteBuffer sizes = answer.outputs().get(1).data();
    assertThat(List.of(sizes.getInt(0), sizes.getInt(4), sizes.getInt(8), sizes.getInt(12)))
        .containsExactly(3, 2, 9, 5);
    float[] out = Requests.floats(answer.outputs().get(0));
    // 3 x 2 lies in the upper left corner, beyond it is nothing.
    assertThat(out[2]).isEqualTo(200);
    assertThat(out[3]).isZero();
    assertThat(out[8]).isZero();
    assertThat(out[32 + 15]).isEqualTo(200);
  }

  @Test
  void shouldNameThePhotoThatCannotBeRead() throws IOException {
    byte[] good = png(3, 2);
    assertThatThrownBy(() -> photos(good, new byte[] {1, 2, 3}, good))
        .cause()
        .hasMessageStartingWith("ensemble 'photos': step 0 (model 'conveyor.decode'), item 1: ");
    InferenceResponse next = photos(good);
    assertThat(next.outputs().get(0).shape().dim(0)).isEqualTo(1);
  }

  @Test
  void shouldPutALargeImageThroughASmallModel() {
    float[] values = new float[23 * 14];
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    Tensor image = floats("IMAGE", Shape.of(1, 1, 14, 23), values);
    InferenceResponse answer = TestServer.await(client.infer("tiles", List.of(image)));
    assertThat(answer.outputs().get(0).shape()).isEqualTo(image.shape());
    assertThat(Requests.floats(answer.outputs().get(0))).isEqualTo(values);
  }

  private static InferenceResponse crops(float[] boxes, float[] scores) {
    float[] pixels = new float[64];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = i;
    }
    return TestServer.await(
        client.infer(
            "crops",
            List.of(
                floats("IMAGE", Shape.of(1, 1, 8, 8), pixels),
                floats("BOXES", Shape.of(1, scores.length, 4), boxes),
                floats("SCORES", Shape.of(1, scores.length, 1), scores))));
  }

  private static InferenceResponse photos(byte[]... photos) {
    Tensor tensor = BytesTensors.of("PHOTOS", Shape.of(photos.length), List.of(photos));
    return TestServer.await(client.infer("photos", List.of(tensor)));
  }

  private static byte[] png(int width, int height) throws IOException {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < width * height; i++) {
      image.setRGB(i % width, i / width, 0xC8C8C8);
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageIO.write(image, "png", bytes);
    return bytes.toByteArray();
  }

  private static Tensor floats(String name, Shape shape, float... values) {
    ByteBuffer data = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asFloatBuffer().put(values);
    return Tensor.of(name, DataType.FP32, shape, data);
  }
}
