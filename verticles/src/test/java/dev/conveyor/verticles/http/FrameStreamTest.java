package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.metrics.ModelStats.FrameEvent;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonObject;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Streams of frames over real sockets. */
class FrameStreamTest extends ServerCase {

  private static final String GATED = "gated";
  private static final int MAX_BYTES = 1 << 20;
  private static final int COMMENT_BYTES = 60_000;

  @BeforeAll
  static void start() {
    TestModels models =
        new TestModels(dir)
            .identity("pixels", DataType.FP32, "batch", 3, 2, 2)
            .config("pixels", config("pixels", "none"))
            .identity(GATED, DataType.FP32, "batch", 3, 2, 2)
            .config(GATED, config(GATED, GATED))
            .identity("rows", 4);
    serve(
        models,
        new JsonObject().put("limits", new JsonObject().put("max_message_bytes", MAX_BYTES)));
  }

  private static String config(String model, String gate) {
    return """
        {"name": "%s", "max_batch_size": 8,
         "parameters": {"test_gate": {"string_value": "%s"}},
         "conveyor": {"intra_op_threads": 1,
           "preprocessing": [{"input": "INPUT0", "height": 2, "width": 2}]}}
        """
        .formatted(model, gate);
  }

  @Test
  void shouldAnswerPicturesOneAfterTheOtherInTheirOrder() throws IOException {
    try (StreamClient client = StreamClient.jpegs(server.httpPort(), "pixels")) {
      for (int i = 0; i < 20; i++) {
        client.send(jpeg(10 * i));
      }
      client.endInput();
      for (int i = 0; i < 20; i++) {
        StreamClient.Event event = client.next();
        assertThat(event.name()).isEqualTo("result");
        assertThat(event.data().getString("id")).isEqualTo(Integer.toString(i));
        assertThat(event.firstValue()).isBetween(10 * i - 3.0, 10 * i + 3.0);
      }
      assertThat(client.next().data())
          .isEqualTo(
              new JsonObject("{\"received\":20,\"answered\":20,\"failed\":0,\"dropped\":0}"));
      assertThat(client.isOver()).isTrue();
    }
  }

  @Test
  void shouldAnswerAFrameBeforeTheNextIsSent() throws IOException {
    try (StreamClient client = StreamClient.multipart(server.httpPort(), "pixels", "")) {
      for (int i = 0; i < 3; i++) {
        client.part(jpeg(50 * i));
        assertThat(client.next().firstValue()).isBetween(50 * i - 3.0, 50 * i + 3.0);
      }
      client.endParts();
      assertThat(client.next().name()).isEqualTo("end");
    }
  }

  @Test
  void shouldTellOfFramesThatCannotBeReadAndGoOn() throws IOException {
    byte[] damaged = Arrays.copyOf(jpeg(9), 200);
    try (StreamClient client = StreamClient.multipart(server.httpPort(), "pixels", "")) {
      client.part("no picture".getBytes(StandardCharsets.UTF_8));
      client.part(damaged);
      client.part(new byte[MAX_BYTES + 1]);
      client.part(jpeg(100));
      client.endParts();

      StreamClient.Event first = client.next();
      assertThat(first.name()).isEqualTo("error");
      assertThat(first.data().getString("id")).isEqualTo("0");
      assertThat(first.data().getInteger("status")).isEqualTo(400);
      assertThat(first.data().getString("error")).contains("neither JPEG nor PNG");
      assertThat(client.next().data().getString("error")).contains("image 0 of input 'INPUT0'");
      StreamClient.Event giant = client.next();
      assertThat(giant.data().getInteger("status")).isEqualTo(413);
      assertThat(giant.data().getString("error"))
          .contains("the frame has " + (MAX_BYTES + 1) + " bytes or more, at most " + MAX_BYTES);
      assertThat(client.next().firstValue()).isBetween(97.0, 103.0);
      assertThat(client.next().data())
          .isEqualTo(new JsonObject("{\"received\":4,\"answered\":1,\"failed\":3,\"dropped\":0}"));
    }
  }

  @Test
  void shouldTellOfAFrameThatWasCutByTheEnd() throws IOException {
    try (StreamClient client = StreamClient.jpegs(server.httpPort(), "pixels")) {
      client.send(jpeg(30)).send(Arrays.copyOf(jpeg(40), 100));
      client.endInput();
      assertThat(client.next().name()).isEqualTo("result");
      assertThat(client.next().data().getString("error"))
          .isEqualTo("the stream ended in the middle of a frame, after 100 bytes of it");
      assertThat(client.next().data().getInteger("failed")).isEqualTo(1);
    }
  }

  @Test
  void shouldKeepOnlyTheLatestFrameAndCountTheOthers() throws Exception {
    Map<FrameEvent, Long> before = frames();
    Gate gate = Gate.shut(GATED);
    try (StreamClient client =
        StreamClient.multipart(
            server.httpPort(), GATED, "x-frame-policy: latest\r\nx-frames-in-flight: 1\r\n")) {
      client.part(jpeg(0));
      gate.awaitArrival();
      for (int i = 1; i <= 5; i++) {
        client.part(jpeg(40 * i));
      }
      for (int i = 1; i < 5; i++) {
        StreamClient.Event dropped = client.next();
        assertThat(dropped.name()).isEqualTo("dropped");
        assertThat(dropped.data().getString("id")).isEqualTo(Integer.toString(i));
      }
      gate.open();
      assertThat(client.next().firstValue()).isBetween(-1.0, 3.0);
      assertThat(client.next().firstValue()).isBetween(197.0, 203.0);
      client.endParts();
      assertThat(client.next().data())
          .isEqualTo(new JsonObject("{\"received\":6,\"answered\":2,\"failed\":0,\"dropped\":4}"));
    }
    assertThat(increase(before, FrameEvent.RECEIVED)).isEqualTo(6);
    assertThat(increase(before, FrameEvent.ANSWERED)).isEqualTo(2);
    assertThat(increase(before, FrameEvent.DROPPED)).isEqualTo(4);
  }

  @Test
  void shouldStopReadingWhileAsManyAsMayBeAreUnderWay() throws Exception {
    int frames = 64;
    Map<FrameEvent, Long> before = frames();
    Gate gate = Gate.shut(GATED);
    try (StreamClient client =
            StreamClient.multipart(
                server.httpPort(), GATED, "x-frame-policy: block\r\nx-frames-in-flight: 2\r\n");
        StreamClient other = StreamClient.multipart(server.httpPort(), "pixels", "")) {
      // More than the sockets of both sides can hold.
      CompletableFuture<Void> camera = CompletableFuture.runAsync(() -> play(client, frames));
      gate.awaitArrival();
      for (int i = 0; i < 60; i++) {
        other.part(jpeg(80));
        assertThat(other.next().firstValue()).isBetween(77.0, 83.0);
        assertThat(increase(before, FrameEvent.RECEIVED)).isLessThanOrEqualTo(3);
      }
      assertThat(camera).as("the camera has to wait").isNotDone();
      gate.open();
      for (int i = 0; i < frames; i++) {
        assertThat(client.next().firstValue()).isBetween(3 * i - 3.0, 3 * i + 3.0);
      }
      assertThat(client.next().data().getInteger("dropped")).isZero();
      camera.join();
    }
    assertThat(increase(before, FrameEvent.RECEIVED)).isEqualTo(frames);
  }

  private static void play(StreamClient camera, int frames) {
    try {
      for (int i = 0; i < frames; i++) {
        camera.part(large(jpeg(3 * i)));
      }
      camera.endParts();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Adds comments to a picture, until it is nearly as large as a frame may be. */
  private static byte[] large(byte[] jpeg) {
    ByteBuffer all = ByteBuffer.allocate(MAX_BYTES - 1024);
    all.put(jpeg, 0, 2);
    while (all.remaining() >= COMMENT_BYTES + 2 + jpeg.length) {
      all.putShort((short) 0xFFFE).putShort((short) COMMENT_BYTES);
      all.position(all.position() + COMMENT_BYTES - 2);
    }
    all.put(jpeg, 2, jpeg.length - 2);
    return Arrays.copyOf(all.array(), all.position());
  }

  @Test
  void shouldGiveUpFramesOfAClientThatGoesAwayAndLeaveOthersAlone() throws Exception {
    Map<FrameEvent, Long> before = frames();
    Gate gate = Gate.shut(GATED);
    StreamClient other = StreamClient.multipart(server.httpPort(), "pixels", "");
    StreamClient client =
        StreamClient.multipart(
            server.httpPort(), GATED, "x-frame-policy: latest\r\nx-frames-in-flight: 1\r\n");
    client.part(jpeg(0));
    gate.awaitArrival();
    client.part(jpeg(1)).send(Arrays.copyOf(jpeg(2), 50));
    while (increase(before, FrameEvent.RECEIVED) < 2) {
      other.part(jpeg(80));
      assertThat(other.next().firstValue()).isBetween(77.0, 83.0);
    }

    client.reset();
    while (increase(before, FrameEvent.ABANDONED) < 2) {
      other.part(jpeg(90));
      assertThat(other.next().firstValue()).isBetween(87.0, 93.0);
    }
    gate.open();
    other.endParts();
    assertThat(other.next().name()).isEqualTo("end");
    other.close();
    assertThat(increase(before, FrameEvent.RECEIVED)).isEqualTo(2);
  }

  @Test
  void shouldReturnOnlyTheOutputsAskedFor() throws IOException {
    try (StreamClient client = StreamClient.jpegs(server.httpPort(), "pixels?outputs=OUTPUT0")) {
      client.send(jpeg(1)).endInput();
      assertThat(client.next().data().getJsonArray("outputs")).hasSize(1);
    }
    refused("pixels?outputs=OUTPUT9", "", 400, "unexpected inference output 'OUTPUT9'");
  }

  @Test
  void shouldRefuseWhatCannotBeAStreamBeforeItBegins() throws IOException {
    refused("nobody", "", 404, "unknown model");
    refused("rows", "", 400, "a stream of frames needs one input of BYTES");
    refused("pixels", "x-frame-policy: newest\r\n", 400, "must be block, drop or latest");
    refused("pixels", "x-frames-in-flight: 65\r\n", 400, "must be a number from 1 to 64");
    refused("pixels", "content-type: text/plain\r\n", 400, "content-type of a stream must be");
    refused("pixels", "content-type: multipart/mixed\r\n", 400, "must name a boundary");
    refused("pixels", "content-encoding: gzip\r\n", 400, "no content-encoding");
  }

  @Test
  void shouldEndAStreamWithoutAnyPart() throws IOException {
    try (StreamClient client = StreamClient.multipart(server.httpPort(), "pixels", "")) {
      client.send(new byte[70_000]);
      StreamClient.Event fatal = client.next();
      assertThat(fatal.name()).isEqualTo("error");
      assertThat(fatal.data().getString("error")).contains("did not come");
      assertThat(client.next().name()).isEqualTo("end");
      assertThat(client.isOver()).isTrue();
    }
  }

  @Test
  void shouldShowFramesInTheMetrics() throws IOException {
    try (StreamClient client = StreamClient.jpegs(server.httpPort(), "pixels")) {
      client.send(jpeg(1)).endInput();
      assertThat(client.next().name()).isEqualTo("result");
      assertThat(client.next().name()).isEqualTo("end");
    }
    String metrics = new HttpCalls(server.server().metricsPort()).get("/metrics").text();
    assertThat(metrics)
        .contains("conveyor_stream_frames_received_total{model=\"pixels\",version=\"1\"} ")
        .contains(
            "conveyor_stream_frames_total{model=\"pixels\",version=\"1\",outcome=\"dropped\"} ");
  }

  private static void refused(String model, String headers, int status, String message)
      throws IOException {
    try (StreamClient client = StreamClient.raw(server.httpPort(), model, headers)) {
      assertThat(client.status()).isEqualTo(status);
      assertThat(client.rest()).contains(message);
    }
  }

  private static Map<FrameEvent, Long> frames() {
    return server.server().catalog().find(GATED, "").stats().frames();
  }

  private static long increase(Map<FrameEvent, Long> before, FrameEvent event) {
    return frames().getOrDefault(event, 0L) - before.getOrDefault(event, 0L);
  }

  /** A grey picture. */
  private static byte[] jpeg(int level) {
    BufferedImage image = new BufferedImage(16, 16, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.setColor(new Color(level, level, level));
    graphics.fillRect(0, 0, 16, 16);
    graphics.dispose();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      ImageIO.write(image, "jpg", out);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return out.toByteArray();
  }
}
