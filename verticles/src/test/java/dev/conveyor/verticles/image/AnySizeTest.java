package dev.conveyor.verticles.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Images of any size to a model that takes two, over a real socket. The model gives its input back,
 * whose rows are four values wide: boxes, all corners of which are the image's grey, 0 where there
 * is padding.
 */
final class AnySizeTest extends ServerCase {

  @BeforeAll
  static void start() {
    TestModels models = new TestModels(dir).identity("look", DataType.FP32, "batch", 1, "h", 4);
    models.config(
        "look",
        """
        {"max_batch_size": 8, "dynamic_batching": {},
         "conveyor": {"intra_op_threads": 1, "preprocessing": [
           {"input": "INPUT0", "mode": "LETTERBOX", "color": "GRAY",
            "sizes": [{"width": 4, "height": 4}, {"width": 4, "height": 8}],
            "boxes": [{"output": "OUTPUT0"}]}]}}
        """);
    serve(models);
  }

  @Test
  void shouldBringBoxesBackToTheImageThatWasSent() throws IOException {
    Answer square = ask(png(16, 16, 10)).join();
    assertThat(square.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[1,1,4,4]"));
    assertThat(row(square, 0)).containsExactly(40, 40, 40, 40);

    // 2 x 8 of 4 x 8, in the middle.
    Answer tall = ask(png(4, 16, 10)).join();
    assertThat(tall.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[1,1,8,4]"));
    assertThat(row(tall, 0)).containsExactly(-2, 20, 18, 0);
  }

  @Test
  void shouldTakeMixedSizesInOneRequest() throws IOException {
    Answer mixed = ask(png(16, 16, 10), png(4, 16, 9), png(32, 32, 8)).join();
    assertThat(mixed.status()).as(mixed.text()).isEqualTo(200);
    assertThat(mixed.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[3,1,4,4]"));
    assertThat(row(mixed, 0)).containsExactly(40, 40, 40, 40);
    // 1 x 4 of 4 x 4, in the middle.
    assertThat(row(mixed, 4)).containsExactly(-4, 36, -4, 0);
    assertThat(row(mixed, 8)).containsExactly(64, 64, 64, 64);
  }

  @Test
  void shouldBatchEachSizeWithItsOwn() throws IOException {
    List<CompletableFuture<Answer>> answers = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      answers.add(ask(i % 2 == 0 ? png(16, 16, i) : png(4, 8, i)));
    }
    for (int i = 0; i < answers.size(); i++) {
      Answer answer = answers.get(i).join();
      assertThat(answer.status()).as(answer.text()).isEqualTo(200);
      int corner = i % 2 == 0 ? 4 * i : i;
      assertThat(row(answer, 3)).containsExactly(corner, corner, corner, corner);
    }
  }

  @Test
  void shouldNameTheImageThatCannotBeRead() throws IOException {
    Answer bad = ask(png(16, 16, 1), new byte[] {1, 2, 3, 4}).join();
    assertThat(bad.status()).isEqualTo(400);
    assertThat(bad.error()).isEqualTo("image 1 of input 'INPUT0': neither JPEG nor PNG");
  }

  private static List<Integer> row(Answer answer, int row) {
    List<Integer> corners = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      corners.add((int) Math.round(answer.data().getDouble(4 * row + i)));
    }
    return corners;
  }

  private static CompletableFuture<Answer> ask(byte[]... images) {
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    for (byte[] image : images) {
      data.writeBytes(
          ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(image.length).array());
      data.writeBytes(image);
    }
    JsonObject input =
        Requests.input("INPUT0", images.length, 1)
            .put("datatype", "BYTES")
            .put("parameters", new JsonObject().put("binary_data_size", data.size()));
    return http.inferAsync("look", Requests.of(input), data.toByteArray());
  }

  private static byte[] png(int width, int height, int grey) throws IOException {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_BYTE_GRAY);
    for (int i = 0; i < width * height; i++) {
      image.getRaster().setSample(i % width, i / width, 0, grey);
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageIO.write(image, "png", bytes);
    return bytes.toByteArray();
  }
}
