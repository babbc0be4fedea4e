package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.ensemble.AnyProtocol.Outcome;
import dev.conveyor.verticles.ensemble.AnyProtocol.Protocol;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What may be wrong with pictures and detections, on every protocol. Nothing of it is kept. */
final class BadPicturesTest extends ServerCase {

  private static final float NAN = Float.NaN;

  private static AnyProtocol protocols;

  @BeforeAll
  static void start() {
    TestModels models = new TestModels(dir).identity("look", DataType.FP32, "batch", 1, 4, 4);
    models.config("detections", CropsEnsemble.config(", \"max_items\": 10000"));
    models.config("crops", crops());
    models.config("photos", PhotosEnsemble.config());
    serve(models);
    protocols = new AnyProtocol(server);
  }

  @AfterEach
  void othersAreServed() {
    for (Protocol protocol : Protocol.values()) {
      assertThat(crop(protocol, 0, 0, 4, 4).error()).isEmpty();
    }
    server.assertIdle();
  }

  @AfterAll
  static void stop() {
    protocols.close();
  }

  @ParameterizedTest
  @EnumSource
  void shouldAnswerNoDetectionsWithNoRows(Protocol protocol) {
    Outcome nothing = detect(protocol, new float[0], new float[0]);
    assertThat(nothing.error()).isEmpty();
    assertThat(nothing.dims(0)).containsExactly(0, 4);
    assertThat(nothing.dims(1)).containsExactly(0, 1, 4, 4);
    Outcome unlikely = detect(protocol, new float[] {0, 0, 4, 4}, new float[] {0.1f});
    assertThat(unlikely.dims(1)).containsExactly(0, 1, 4, 4);
  }

  @ParameterizedTest
  @EnumSource
  void shouldAnswerTenThousandDetectionsAndLeaveOutThoseWithNan(Protocol protocol) {
    int count = 10_000;
    float[] boxes = new float[4 * count];
    float[] scores = new float[count];
    for (int i = 0; i < count; i++) {
      boxes[4 * i] = i % 2 == 0 ? 0 : NAN;
      boxes[4 * i + 2] = 4;
      boxes[4 * i + 3] = 4;
      scores[i] = 0.9f;
    }
    Outcome answer = detect(protocol, boxes, scores);
    assertThat(answer.error()).isEmpty();
    assertThat(answer.dims(0)).containsExactly(5000, 4);
    assertThat(answer.dims(1)).containsExactly(5000, 1, 4, 4);
    assertThat(answer.outputs().get(1).data().getFloat(5 * Float.BYTES)).isEqualTo(9);
  }

  @ParameterizedTest
  @EnumSource
  void shouldRefuseMoreDetectionsThanAreAllowed(Protocol protocol) {
    int count = 10_001;
    float[] boxes = new float[4 * count];
    for (int i = 0; i < count; i++) {
      boxes[4 * i + 2] = 4;
      boxes[4 * i + 3] = 4;
    }
    Outcome answer = crop(protocol, boxes);
    assertThat(answer.refused()).isTrue();
    assertThat(answer.error())
        .isEqualTo(
            "ensemble 'crops': step 0 (model 'conveyor.crop'): 10001 items,"
                + " at most max_items=10000 are taken");
  }

  @ParameterizedTest
  @EnumSource
  void shouldNameACropWithoutAnAreaOrWithNan(Protocol protocol) {
    Outcome flat = crop(protocol, 0, 0, 4, 4, 3, 3, 3, 8);
    assertThat(flat.refused()).isTrue();
    assertThat(flat.error())
        .startsWith("ensemble 'crops': step 0 (model 'conveyor.crop'), item 1: box 0 has no area");
    Outcome nan = crop(protocol, NAN, 0, 4, 4);
    assertThat(nan.refused()).isTrue();
    assertThat(nan.error())
        .startsWith("ensemble 'crops': step 0 (model 'conveyor.crop'), item 0: box 0 ");
  }

  @ParameterizedTest
  @EnumSource
  void shouldTakeMixedSizesInOneRequestAndNameThePictureThatCannotBeRead(Protocol protocol)
      throws IOException {
    Outcome mixed = photos(protocol, png(3, 2), png(9, 5), png(4, 4));
    assertThat(mixed.error()).isEmpty();
    assertThat(mixed.dims(0)).containsExactly(3, 1, 4, 4);
    assertThat(ints(mixed.outputs().get(1))).containsExactly(3, 2, 9, 5, 4, 4);

    Outcome bad = photos(protocol, png(3, 2), new byte[] {1, 2, 3}, png(4, 4));
    assertThat(bad.refused()).isTrue();
    assertThat(bad.error())
        .startsWith("ensemble 'photos': step 0 (model 'conveyor.decode'), item 1: ")
        .contains("neither JPEG nor PNG");
  }

  private static Outcome detect(Protocol protocol, float[] boxes, float[] scores) {
    return protocols.ask(
        protocol,
        "detections",
        List.of(
            tensor("IMAGE", pixels(), 1, 1, 8, 8),
            tensor("BOXES", boxes, 1, scores.length, 4),
            tensor("SCORES", scores, 1, scores.length, 1)));
  }

  private static Outcome crop(Protocol protocol, float... boxes) {
    return protocols.ask(
        protocol,
        "crops",
        List.of(
            tensor("IMAGE", pixels(), 1, 1, 8, 8), tensor("BOXES", boxes, boxes.length / 4, 4)));
  }

  private static Outcome photos(Protocol protocol, byte[]... photos) {
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    for (byte[] photo : photos) {
      data.writeBytes(
          ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(photo.length).array());
      data.writeBytes(photo);
    }
    ByteBuffer elements = ByteBuffer.wrap(data.toByteArray()).order(ByteOrder.LITTLE_ENDIAN);
    return protocols.ask(
        protocol,
        "photos",
        List.of(Tensor.of("PHOTOS", DataType.BYTES, Shape.of(photos.length), elements)));
  }

  private static Tensor tensor(String name, float[] values, long... shape) {
    ByteBuffer bytes =
        ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return Tensor.of(name, DataType.FP32, Shape.of(shape), bytes);
  }

  private static int[] ints(Tensor tensor) {
    int[] values = new int[tensor.sizeBytes() / Integer.BYTES];
    for (int i = 0; i < values.length; i++) {
      values[i] = tensor.data().getInt(i * Integer.BYTES);
    }
    return values;
  }

  private static float[] pixels() {
    float[] pixels = new float[64];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = i;
    }
    return pixels;
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
}
