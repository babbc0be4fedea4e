package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.Lease;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.nio.file.Files;
import java.util.Base64;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Bodies of index, load and unload: of any content type, and bounded as those of inferences. */
final class RepositoryBodiesTest extends ServerCase {

  private static final String FORM = "application/x-www-form-urlencoded";
  private static final String LOAD = "/v2/repository/models/simple/load";
  private static final int MAX_MESSAGE_BYTES = 1 << 20;
  private static final int REQUEST_MEMORY_BYTES = 4 << 20;

  private static TestModels models;

  @BeforeAll
  static void start() {
    models = new TestModels(dir).identity("simple", 4).identity("other", 4);
    JsonObject limits =
        new JsonObject()
            .put("max_message_bytes", MAX_MESSAGE_BYTES)
            .put("request_memory_bytes", REQUEST_MEMORY_BYTES)
            .put("body_timeout_ms", 1500);
    serve(models, new JsonObject().put("limits", limits));
  }

  @AfterEach
  void shouldStillServe() {
    assertThat(http.infer("simple", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        FORM,
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/json",
        "text/plain"
      })
  void shouldLoadWithARealConfigurationAndAFileWhateverTheBodyIsCalled(String type)
      throws IOException {
    byte[] file = Files.readAllBytes(models.file("simple", 1));
    JsonObject parameters =
        new JsonObject()
            .put("config", config(5000))
            .put("file:3/model.onnx", Base64.getEncoder().encodeToString(file));
    Answer loaded = post(LOAD, type, new JsonObject().put("parameters", parameters));

    assertThat(loaded.status()).as(loaded::text).isEqualTo(200);
    JsonObject metadata = http.get("/v2/models/simple").json();
    assertThat(metadata.getJsonArray("versions")).isEqualTo(new JsonArray("[\"3\"]"));
    assertThat(http.get("/v2/models/simple/config").json().getInteger("max_batch_size"))
        .isEqualTo(4);
  }

  @Test
  void shouldReadTheOtherBodiesOfCurlToo() {
    assertThat(post("/v2/repository/models/other/unload", FORM, padded()).status()).isEqualTo(200);
    Answer ready = post("/v2/repository/index", FORM, padded().put("ready", true));
    assertThat(ready.status()).isEqualTo(200);
    assertThat(ready.text()).contains("simple").doesNotContain("other");
    assertThat(post("/v2/repository/models/other/load", FORM, padded()).status()).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(strings = {"/v2/repository/index", LOAD, "/v2/repository/models/simple/unload"})
  void shouldRefuseWhatIsTooLargeBeforeItComes(String path) throws IOException {
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      raw.send(head(path, "content-length: " + (MAX_MESSAGE_BYTES + 1L)));
      assertThat(raw.statusLine()).startsWith("HTTP/1.1 413");
      raw.awaitClose();
    }
  }

  @Test
  void shouldHangUpOnAnEndlessBody() throws IOException {
    String chunk = "10000\r\n" + " ".repeat(0x10000) + "\r\n";
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      raw.send(head(LOAD, "transfer-encoding: chunked"));
      for (int i = 0; i <= MAX_MESSAGE_BYTES / 0x10000; i++) {
        raw.send(chunk);
      }
      assertThat(raw.statusLine()).startsWith("HTTP/1.1 413");
      raw.awaitClose();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"/v2/repository/index", LOAD, "/v2/repository/models/simple/unload"})
  void shouldLosePatienceWithABodyThatDoesNotCome(String path) throws IOException {
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      raw.send(head(path, "content-length: 100")).send("{");
      assertThat(raw.statusLine()).startsWith("HTTP/1.1 408");
      raw.awaitClose();
    }
  }

  @Test
  void shouldNotReadALargeBodyWhileTheMemoryOfRequestsIsTaken() {
    try (Lease all =
        server.server().requestMemory().tryAcquire(REQUEST_MEMORY_BYTES - 4096).orElseThrow()) {
      assertThat(all.sizeBytes()).isPositive();
      Answer refused =
          post(
              LOAD,
              FORM,
              new JsonObject().put("parameters", new JsonObject().put("config", config(300_000))));
      assertThat(refused.status()).as(refused::text).isEqualTo(408);
    }
  }

  @Test
  void shouldForgetABodyWhoseSenderGoesAway() throws IOException {
    RawConnection raw = new RawConnection(server.httpPort());
    raw.send(head(LOAD, "content-length: 500000")).send(" ".repeat(200_000));
    server.awaitScheduler(now -> server.server().requestMemory().leasedBytes() > 0);
    raw.reset();
    server.awaitScheduler(now -> server.server().requestMemory().leasedBytes() == 0);
  }

  @Test
  void shouldSayWhatIsWrongWithABody() {
    for (String path : new String[] {"/v2/repository/index", LOAD}) {
      Answer answer = http.post(path, "a=b&c=d");
      assertThat(answer.status()).isEqualTo(400);
      assertThat(answer.error()).contains("parse");
    }
  }

  private static Answer post(String path, String type, JsonObject body) {
    return http.send(
        http.request(path)
            .header("Content-Type", type)
            .POST(HttpRequest.BodyPublishers.ofString(body.encode()))
            .build());
  }

  private static JsonObject padded() {
    return new JsonObject().put("note", "x".repeat(5000));
  }

  private static String config(int bytes) {
    return new JsonObject()
        .put("max_batch_size", 4)
        .put(
            "parameters",
            new JsonObject().put("note", new JsonObject().put("string_value", "x".repeat(bytes))))
        .encode();
  }

  private static String head(String path, String length) {
    return "POST %s HTTP/1.1\r\nhost: x\r\ncontent-type: %s\r\n%s\r\n\r\n"
        .formatted(path, FORM, length);
  }
}
