package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.DataType;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.models.process.Spares;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.verticles.FrontDoor;
import dev.conveyor.verticles.LocalGateway;
import dev.conveyor.verticles.MemoryReport;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ModelOverride;
import dev.conveyor.verticles.PinnedLedger;
import dev.conveyor.verticles.RepositoryControl;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import dev.conveyor.verticles.shm.SharedMemoryRegions;
import io.vertx.core.Future;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A camera that sends nothing for longer than a connection may be without traffic. */
final class RestingStreamTest {

  private static final int IDLE_SECONDS = 1;
  private static final MemoryBudget CPU = new MemoryBudget("CPU", Long.MAX_VALUE);

  @TempDir private static Path directory;

  private static final RepositoryControl NO_REPOSITORY =
      new RepositoryControl() {
        @Override
        public Future<List<Entry>> index() {
          return Future.succeededFuture(List.of());
        }

        @Override
        public Future<Void> load(String name, ModelOverride override) {
          return Future.failedFuture("not here");
        }

        @Override
        public Future<Void> unload(String name, boolean dependents) {
          return Future.failedFuture("not here");
        }

        @Override
        public boolean isReady() {
          return true;
        }
      };

  @Test
  void shouldGoOnAfterARest() throws IOException {
    TestModels models =
        new TestModels(directory)
            .identity("pixels", DataType.FP32, "batch", 3, 2, 2)
            .config(
                "pixels",
                """
                {"name": "pixels", "max_batch_size": 8,
                 "conveyor": {"preprocessing": [{"input": "INPUT0", "height": 2, "width": 2}]}}
                """);
    try (TestServer server = TestServer.start(models)) {
      HttpFrontEnd impatient = impatient(server);
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

  private static HttpFrontEnd impatient(TestServer server) {
    ModelCatalog catalog = server.server().catalog();
    HttpServices services =
        new HttpServices(
            new LocalGateway(server.vertx(), catalog),
            catalog,
            NO_REPOSITORY,
            new FrontDoor(Tenants.DEFAULT, NanoClock.SYSTEM),
            server.server().requestMemory(),
            new MemoryReport(
                CPU,
                List.of(),
                new PinnedLedger(CPU),
                server.server().requestMemory(),
                () -> new Spares(List.of(), 0),
                NO_REPOSITORY),
            SharedMemoryRegions.system(0));
    return new HttpFrontEnd(
        services,
        new HttpFrontEndOptions("127.0.0.1", 0, 1 << 20, 10, 8192, IDLE_SECONDS, 60_000, 1000),
        router -> {});
  }

  private static byte[] jpeg() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB), "jpg", out);
    return out.toByteArray();
  }
}
