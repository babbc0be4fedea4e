package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What may be wrong with pictures and detections, over a real socket. Nothing of it is kept. */
final class BadPicturesTest {

  private static final float NAN = Float.NaN;

  @TempDir private static Path dir;
  private static TestServer server;
  private static HttpCalls http;

  @BeforeAll
  static void start() {
    TestModels models = new TestModels(dir).identity("look", DataType.FP32, "batch", 1, 4, 4);
    models.config("detections", CropsEnsemble.config(", \"max_items\": 10000"));
    models.config("crops", crops());
    models.config("photos", photos());
    server = TestServer.start(models);
    http = new HttpCalls(server.httpPort());
  }

  @AfterEach
  void nothingIsKeptAndOthersAreServed() {
    assertThat(crop(0, 0, 4, 4).status()).isEqualTo(200);
    server.assertIdle();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @Test
  void shouldAnswerNoDetectionsWithNoRows() {
    Answer nothing = detect(new float[0], new float[0]);
    assertThat(nothing.status()).isEqualTo(200);
    assertThat(nothing.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[0,4]"));
    assertThat(nothing.output(1).getJsonArray("shape")).isEqualTo(new JsonArray("[0,1,4,4]"));
    Answer unlikely = detect(new float[] {0, 0, 4, 4}, new float[] {0.1f});
    assertThat(unlikely.output(1).getJsonArray("shape")).isEqualTo(new JsonArray("[0,1,4,4]"));
  }

  @Test
  void shouldAnswerTenThousandDetectionsAndLeaveOutThoseWithNan() {
    int count = 10_000;
    float[] boxes = new float[4 * count];
    float[] scores = new float[count];
    for (int i = 0; i < count; i++) {
      boxes[4 * i] = i % 2 == 0 ? 0 : NAN;
      boxes[4 * i + 2] = 4;
      boxes[4 * i + 3] = 4;
      scores[i] = 0.9f;
    }
    Answer answer = detect(boxes, scores);
    assertThat(answer.status()).as(answer.text()).isEqualTo(200);
    assertThat(answer.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[5000,4]"));
    assertThat(answer.output(1).getJsonArray("shape")).isEqualTo(new JsonArray("[5000,1,4,4]"));
    assertThat(answer.output(1).getJsonArray("data").getDouble(5)).isEqualTo(9);
  }

  @Test
  void shouldRefuseMoreDetectionsThanAreAllowed() {
    int count = 10_001;
    float[] boxes = new float[4 * count];
    for (int i = 0; i < count; i++) {
      boxes[4 * i + 2] = 4;
      boxes[4 * i + 3] = 4;
    }
    Answer answer = crop(boxes);
    assertThat(answer.status()).isEqualTo(400);
    assertThat(answer.error())
        .isEqualTo(
            "ensemble 'crops': step 0 (model 'conveyor.crop'): 10001 items,"
                + " at most max_items=10000 are taken");
  }

  @Test
  void shouldNameACropWithoutAnAreaOrWithNan() {
    Answer flat = crop(0, 0, 4, 4, 3, 3, 3, 8);
    assertThat(flat.status()).isEqualTo(400);
    assertThat(flat.error())
        .startsWith("ensemble 'crops': step 0 (model 'conveyor.crop'), item 1: box 0 has no area");
    Answer nan = crop(NAN, 0, 4, 4);
    assertThat(nan.status()).isEqualTo(400);
    assertThat(nan.error())
        .startsWith("ensemble 'crops': step 0 (model 'conveyor.crop'), item 0: box 0 ");
  }

  @Test
  void shouldTakeMixedSizesInOneRequestAndNameThePictureThatCannotBeRead() throws IOException {
    Answer mixed = photos(png(3, 2), png(9, 5), png(4, 4));
    assertThat(mixed.status()).as(mixed.text()).isEqualTo(200);
    assertThat(mixed.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[3,1,4,4]"));
    assertThat(mixed.output(1).getJsonArray("data")).isEqualTo(new JsonArray("[3,2,9,5,4,4]"));

    Answer bad = photos(png(3, 2), new byte[] {1, 2, 3}, png(4, 4));
    assertThat(bad.status()).isEqualTo(400);
    assertThat(bad.error())
        .startsWith("ensemble 'photos': step 0 (model 'conveyor.decode'), item 1: ")
        .contains("neither JPEG nor PNG");
  }

  private static Answer detect(float[] boxes, float[] scores) {
    JsonObject head =
        Requests.of(
            binary("IMAGE", 64, 1, 1, 8, 8),
            binary("BOXES", boxes.length, 1, scores.length, 4),
            binary("SCORES", scores.length, 1, scores.length, 1));
    return http.infer("detections", head, bytes(pixels(), boxes, scores));
  }

  private static Answer crop(float... boxes) {
    JsonObject head =
        Requests.of(
            binary("IMAGE", 64, 1, 1, 8, 8), binary("BOXES", boxes.length, boxes.length / 4, 4));
    return http.infer("crops", head, bytes(pixels(), boxes));
  }

  private static Answer photos(byte[]... photos) {
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    for (byte[] photo : photos) {
      data.writeBytes(
          ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(photo.length).array());
      data.writeBytes(photo);
    }
    JsonObject input =
        Requests.input("PHOTOS", photos.length)
            .put("datatype", "BYTES")
            .put("parameters", new JsonObject().put("binary_data_size", data.size()));
    return http.infer("photos", Requests.of(input), data.toByteArray());
  }

  private static JsonObject binary(String name, int values, long... shape) {
    return Requests.input(name, shape)
        .put("parameters", new JsonObject().put("binary_data_size", Float.BYTES * values));
  }

  private static float[] pixels() {
    float[] pixels = new float[64];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = i;
    }
    return pixels;
  }

  private static byte[] bytes(float[]... parts) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (float[] part : parts) {
      ByteBuffer bytes =
          ByteBuffer.allocate(Float.BYTES * part.length).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asFloatBuffer().put(part);
      all.writeBytes(bytes.array());
    }
    return all.toByteArray();
  }

  private static byte[] png(int width, int height) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageIO.write(new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB), "png", bytes);
    return bytes.toByteArray();
  }

  private static String crops() {
    return """
        {"platform": "ensemble",
         "input": [{"name": "IMAGE", "data_type": "TYPE_FP32", "dims": [1, 1, 8, 8]},
                   {"name": "BOXES", "data_type": "TYPE_FP32", "dims": [-1, 4]}],
         "output": [{"name": "CROPS", "data_type": "TYPE_FP32", "dims": [-1, 1, 4, 4]}],
         "ensemble_scheduling": {"step": [
           {"model_name": "conveyor.crop", "input_map": {"image": "IMAGE", "box": "BOXES"},
            "output_map": {"image": "crop"}},
           {"model_name": "look", "input_map": {"INPUT0": "crop"},
            "output_map": {"OUTPUT0": "CROPS"}}]},
         "parameters": {
           "step[0].width": {"string_value": "4"}, "step[0].height": {"string_value": "4"}},
         "conveyor": {"ensemble_step": [{"step": 0, "for_each": ["box"], "max_items": 10000}]}}""";
  }

  private static String photos() {
    return """
        {"platform": "ensemble",
         "input": [{"name": "PHOTOS", "data_type": "TYPE_STRING", "dims": [-1]}],
         "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [-1, 1, 4, 4]},
                    {"name": "SIZE", "data_type": "TYPE_INT32", "dims": [-1, 2]}],
         "ensemble_scheduling": {"step": [
           {"model_name": "conveyor.decode", "input_map": {"image": "PHOTOS"},
            "output_map": {"image": "pixels"}},
           {"model_name": "conveyor.fit", "input_map": {"image": "pixels"},
            "output_map": {"image": "fitted", "size": "SIZE"}},
           {"model_name": "conveyor.normalize", "input_map": {"image": "fitted"},
            "output_map": {"image": "input"}},
           {"model_name": "look", "input_map": {"INPUT0": "input"},
            "output_map": {"OUTPUT0": "OUT"}}]},
         "parameters": {"step[0].color": {"string_value": "GRAY"},
           "step[1].sizes": {"string_value": "4x4"}},
         "conveyor": {"ensemble_step": [{"step": 0, "for_each": ["image"]}]}}""";
  }
}
