package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonObject;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Cameras that stop in the middle of a frame, on a server that waits for a frame only so long. */
class StalledFrameTest extends ServerCase {

  private static final int PATIENCE_MS = 1500;

  @BeforeAll
  static void start() {
    TestModels models =
        new TestModels(dir)
            .identity("pixels", DataType.FP32, "batch", 3, 2, 2)
            .config(
                "pixels",
                """
                {"name": "pixels", "max_batch_size": 8,
                 "conveyor": {"intra_op_threads": 1,
                   "preprocessing": [{"input": "INPUT0", "height": 2, "width": 2}]}}
                """);
    serve(
        models,
        new JsonObject().put("limits", new JsonObject().put("body_timeout_ms", PATIENCE_MS)));
  }

  @Test
  void shouldEndAStreamWhoseFrameStallsAndLeaveThoseAloneThatAreBetweenFrames() throws IOException {
    try (StreamClient idle = StreamClient.multipart(server.httpPort(), "pixels", "");
        StreamClient stalled = StreamClient.jpegs(server.httpPort(), "pixels")) {
      idle.part(jpeg());
      assertThat(idle.next().name()).isEqualTo("result");

      stalled.send(jpeg()).send(Arrays.copyOf(jpeg(), 100));

      expectEnd(stalled);
      // It has waited for as long.
      idle.part(jpeg());
      assertThat(idle.next().name()).isEqualTo("result");
      idle.endParts();
      assertThat(idle.next().name()).isEqualTo("end");
    }
  }

  @Test
  void shouldEndAStreamWhosePartStalls() throws IOException {
    try (StreamClient stalled = StreamClient.multipart(server.httpPort(), "pixels", "")) {
      stalled.part(jpeg());
      stalled.send(
          "--frame\r\nContent-Length: 9999\r\n\r\nthe rest never comes"
              .getBytes(StandardCharsets.US_ASCII));

      expectEnd(stalled);
    }
  }

  private static void expectEnd(StreamClient stalled) throws IOException {
    // The complaint about the stream may come before the answer of the frame before.
    boolean answered = false;
    boolean complained = false;
    boolean failed = false;
    StreamClient.Event event = stalled.next();
    while (!event.name().equals("end")) {
      String error = event.data().getString("error", "");
      answered |= event.name().equals("result");
      complained |=
          error.equals("a frame was not complete " + PATIENCE_MS + " ms after it began")
              && event.data().getInteger("status") == 408;
      failed |= error.startsWith("the stream ended in the middle of a frame, after ");
      event = stalled.next();
    }
    assertThat(answered).isTrue();
    assertThat(complained).isTrue();
    assertThat(failed).isTrue();
    assertThat(event.data())
        .isEqualTo(new JsonObject("{\"received\":2,\"answered\":1,\"failed\":1,\"dropped\":0}"));
    assertThat(stalled.isOver()).isTrue();
  }

  private static byte[] jpeg() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(new BufferedImage(16, 16, BufferedImage.TYPE_INT_RGB), "jpg", out);
    return out.toByteArray();
  }
}
