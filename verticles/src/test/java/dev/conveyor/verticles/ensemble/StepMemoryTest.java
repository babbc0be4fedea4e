package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonObject;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What steps hold counts as memory of requests, which is small here: 10 MiB. */
final class StepMemoryTest {

  /** One is 4 MB once it is decoded to FP32. */
  private static final int SIDE = 1000;

  @TempDir private Path dir;
  private TestServer server;

  @BeforeEach
  void start() {
    TestModels models =
        new TestModels(dir)
            .identity("look", DataType.FP32, "batch", 1, 4, 4)
            .identity("other", 4)
            .config(
                "look",
                """
                {"parameters": {"test_gate": {"string_value": "looking"}},
                 "instance_group": [{"kind": "KIND_CPU", "count": 2}],
                 "conveyor": {"intra_op_threads": 1}}""")
            .config("other", "{\"conveyor\": {\"intra_op_threads\": 1}}")
            .config("photos", photos());
    JsonObject limits =
        new JsonObject()
            .put("max_message_bytes", 1 << 20)
            .put("request_memory_bytes", 10 << 20)
            .put("max_image_pixels", SIDE * SIDE);
    JsonObject cpu = new JsonObject().put("cores", 4); // two look, and one is left for the others
    server =
        TestServer.start(
            models,
            new JsonObject()
                .put("limits", limits)
                .put("devices", new JsonObject().put("cpu", cpu)));
  }

  @AfterEach
  void stop() {
    server.assertIdle();
    server.close();
  }

  @Test
  void shouldRefuseWhoFindsNoMemoryAndLeaveOthersAlone() throws Exception {
    byte[] photo = png(SIDE, SIDE);
    List<CompletableFuture<Answer>> holding = new ArrayList<>();
    try (Gate gate = Gate.shut("looking")) {
      for (int i = 0; i < 2; i++) {
        holding.add(server.http().inferAsync("photos", head(photo), bytes(photo)));
        gate.awaitArrival();
      }
      assertThat(server.server().requestMemory().leasedBytes()).isGreaterThan(2L * 4 * SIDE * SIDE);

      for (int i = 0; i < 3; i++) {
        Answer refused = server.http().infer("photos", head(photo), bytes(photo));
        assertThat(refused.status()).as(refused.text()).isEqualTo(503);
        assertThat(refused.error())
            .startsWith("ensemble 'photos': step 0 (model 'conveyor.decode')")
            .contains("no memory for 'image', 4000000 bytes: ")
            .endsWith(" of 10485760 bytes for requests are in use");
      }
      assertThat(server.http().infer("other", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
    }
    for (CompletableFuture<Answer> held : holding) {
      assertThat(held.join().status()).as(held.join().text()).isEqualTo(200);
    }
    Answer again = server.http().infer("photos", head(photo), bytes(photo));
    assertThat(again.status()).as(again.text()).isEqualTo(200);
  }

  @Test
  void shouldGiveBackWhatTheOtherItemsHoldWhenOneFindsNone() throws IOException {
    byte[] photo = png(SIDE, SIDE);
    try (Gate shut = Gate.shut("looking")) {
      Answer refused =
          server.http().infer("photos", head(photo, photo, photo), bytes(photo, photo, photo));
      assertThat(refused.status()).as(refused.text()).isEqualTo(503);
      assertThat(refused.error()).contains("no memory for ").contains(", item ");
    }
  }

  @Test
  void shouldSayThatAnImageNeverFits() throws IOException {
    byte[] photo = png(SIDE + 1, SIDE);
    Answer refused = server.http().infer("photos", head(photo), bytes(photo));
    assertThat(refused.status()).isEqualTo(400);
    assertThat(refused.error())
        .contains("image 0 has 1001 x 1000 pixels, limits.max_image_pixels=1000000 are decoded");
  }

  private static JsonObject head(byte[]... photos) {
    return Requests.of(
        Requests.input("PHOTOS", photos.length)
            .put("datatype", "BYTES")
            .put("parameters", new JsonObject().put("binary_data_size", bytes(photos).length)));
  }

  private static byte[] bytes(byte[]... photos) {
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    for (byte[] photo : photos) {
      data.writeBytes(
          ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(photo.length).array());
      data.writeBytes(photo);
    }
    return data.toByteArray();
  }

  private static byte[] png(int width, int height) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageIO.write(new BufferedImage(width, height, BufferedImage.TYPE_BYTE_GRAY), "png", bytes);
    return bytes.toByteArray();
  }

  /** The pixels are held until the model has looked, because the last step reads them again. */
  private static String photos() {
    return """
        {"platform": "ensemble",
         "input": [{"name": "PHOTOS", "data_type": "TYPE_STRING", "dims": [-1]}],
         "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [-1, 1, 2, 2]}],
         "ensemble_scheduling": {"step": [
           {"model_name": "conveyor.decode", "input_map": {"image": "PHOTOS"},
            "output_map": {"image": "pixels"}},
           {"model_name": "conveyor.resize", "input_map": {"image": "pixels"},
            "output_map": {"image": "small"}},
           {"model_name": "look", "input_map": {"INPUT0": "small"},
            "output_map": {"OUTPUT0": "seen"}},
           {"model_name": "conveyor.resize", "input_map": {"image": "pixels"},
            "output_map": {"image": "again"}},
           {"model_name": "conveyor.resize", "input_map": {"image": "again"},
            "output_map": {"image": "OUT"}}]},
         "parameters": {
           "step[0].color": {"string_value": "GRAY"}, "step[0].type": {"string_value": "FP32"},
           "step[1].width": {"string_value": "4"}, "step[1].height": {"string_value": "4"},
           "step[3].width": {"string_value": "2"}, "step[3].height": {"string_value": "2"},
           "step[4].width": {"string_value": "2"}, "step[4].height": {"string_value": "2"}},
         "conveyor": {"ensemble_step": [
           {"step": 0, "for_each": ["image"]}, {"step": 3, "when": "seen"}]}}""";
  }
}
