package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A camera that sends nothing for longer than a connection may be without traffic. */
final class RestingStreamTest {

  /** Of a connection without traffic, in seconds. */
  private static final int IDLE_SECONDS = 1;

  @TempDir private static Path directory;

  @Test
  void shouldGoOnAfterARest() throws IOException {
    TestModels models = new TestModels(directory).pixels("pixels");
    try (TestServer server = TestServer.start(models)) {
      HttpFrontEnd impatient = SecondFrontEnd.of(server, IDLE_SECONDS, router -> {});
      String id = TestServer.await(server.vertx().deployVerticle(impatient));
      try (StreamClient camera = StreamClient.multipart(impatient.actualPort(), "pixels", "")) {
        camera.part(jpeg());
        assertThat(camera.next().name()).isEqualTo("result");
        // Three come in the time that the connection may be idle.
        camera.rest(4);
        camera.part(jpeg());
        assertThat(camera.next().name()).isEqualTo("result");
        camera.endParts();
        assertThat(camera.next().name()).isEqualTo("end");
      }
      TestServer.await(server.vertx().undeploy(id));
    }
  }

  private static byte[] jpeg() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB), "jpg", out);
    return out.toByteArray();
  }
}
