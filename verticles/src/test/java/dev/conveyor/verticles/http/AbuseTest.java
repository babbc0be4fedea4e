package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.json.JsonObject;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests that lie, and bytes that are none. The server answers or hangs up, and serves on. */
final class AbuseTest extends ServerCase {

  private static final int WIDTH = 8192;
  private static final int PIPELINED = 1000;
  private static final int MAX_MESSAGE_BYTES = 1 << 20;

  @BeforeAll
  static void start() {
    TestModels models =
        new TestModels(dir)
            .identity("simple", 4)
            .identity("wide", WIDTH)
            .sum("sum", WIDTH)
            .identity("any", DataType.FP64, "a", "b", "c");
    JsonObject limits =
        new JsonObject().put("max_message_bytes", MAX_MESSAGE_BYTES).put("max_connections", 8);
    serve(models, new JsonObject().put("limits", limits));
  }

  @AfterEach
  void shouldStillServe() {
    Answer answer = http.infer("simple", Requests.row(1, 2, 3, 4));
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{",
        "nonsense",
        "{\"inputs\":",
        "{\"inputs\":[{\"name\":\"INPUT0\",\"shape\":[1,4],\"datatype\":\"FP32\",\"data\":[1,2",
        "{\"inputs\":null}",
        "{\"inputs\":[null]}",
        "{\"inputs\":[],\"inputs\":{}}",
        "{\"inputs\":[]}{}",
        "\u0000\u0001\u0002",
        "{\"id\":{},\"inputs\":[]}",
        "{\"outputs\":[{}],\"inputs\":[]}",
        "{\"outputs\":5,\"inputs\":[]}",
        "{\"parameters\":[],\"inputs\":[]}"
      })
  void shouldRefuseWhatIsNoRequest(String body) {
    Answer answer = http.post("/v2/models/simple/infer", body);
    assertThat(answer.status()).as(answer::text).isEqualTo(400);
    assertThat(answer.error()).isNotEmpty();
  }

  @ParameterizedTest
  @CsvSource({"1000", "100000"})
  void shouldRefuseDeepNesting(int depth) {
    String deep = "[".repeat(depth) + "]".repeat(depth);
    for (String body :
        new String[] {
          deep,
          "{\"x\":" + deep + ",\"inputs\":[]}",
          "{\"inputs\":[{\"data\":" + deep + "}]}",
          "{\"inputs\":[{\"name\":\"INPUT0\",\"shape\":[1,4],\"datatype\":\"FP32\",\"data\":"
              + deep
              + "}]}"
        }) {
      assertThat(http.post("/v2/models/simple/infer", body).status()).isEqualTo(400);
    }
  }

  @ParameterizedTest
  @CsvSource({"32767", "32769", "0", "-1", "2147483647", "9223372036854775807", "1e3", "'x'"})
  void shouldRefuseBinarySizesThatLie(String size) {
    String json =
        "{\"inputs\":[{\"name\":\"INPUT0\",\"shape\":[1,8192],\"datatype\":\"FP32\","
            + "\"parameters\":{\"binary_data_size\":"
            + size
            + "}}]}";
    Answer answer = http.infer("wide", new Json(json), new byte[4 * WIDTH]);
    assertThat(answer.status()).as(answer::text).isEqualTo(400);
  }

  @Test
  void shouldRefuseBytesThatBelongToNoInput() {
    Answer more = http.infer("wide", Requests.binary(WIDTH, "INPUT0"), new byte[4 * WIDTH + 1]);
    assertThat(more.status()).isEqualTo(400);
    assertThat(more.error()).contains("1 bytes");
    Answer fewer = http.infer("wide", Requests.binary(WIDTH, "INPUT0"), new byte[4 * WIDTH - 1]);
    assertThat(fewer.status()).isEqualTo(400);
    Answer half = http.infer("sum", Requests.binary(WIDTH, "A", "B"), new byte[4 * WIDTH]);
    assertThat(half.status()).isEqualTo(400);
    assertThat(half.error()).contains("'B'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "x", "1", "40000", "2147483647", "2147483648", "1, 2"})
  void shouldRefuseHeadLengthsThatLie(String length) throws IOException {
    byte[] json = Requests.binary(WIDTH, "INPUT0").toBuffer().getBytes();
    byte[] body = HttpCalls.concat(json, new byte[4 * WIDTH]);
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      raw.send(
          """
          POST /v2/models/wide/infer HTTP/1.1\r
          host: x\r
          inference-header-content-length: %s\r
          content-length: %d\r
          \r
          """
              .formatted(length, body.length));
      raw.send(body);
      assertThat(raw.statusLine()).isEqualTo("HTTP/1.1 400 Bad Request");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[4611686018427387904,2,2]",
        "[2147483647,2147483647,2147483647]",
        "[2305843009213693952,1,1]",
        "[9223372036854775807,0,9223372036854775807]",
        "[9223372036854775808,1,1]",
        "[1,1,1.5]",
        "[[1],1,1]"
      })
  void shouldRefuseShapesWhoseProductOverflows(String shape) {
    for (String data : new String[] {"\"data\":[]", "\"parameters\":{\"binary_data_size\":0}"}) {
      String json =
          "{\"inputs\":[{\"name\":\"INPUT0\",\"datatype\":\"FP64\",\"shape\":%s,%s}]}"
              .formatted(shape, data);
      assertThat(http.post("/v2/models/any/infer", json).status()).isEqualTo(400);
    }
  }

  @Test
  void shouldKeepItsAnswerShortWhenAShapeIsLong() {
    String json =
        "{\"inputs\":[{\"name\":\"INPUT0\",\"datatype\":\"FP32\",\"data\":[1],\"shape\":["
            + "1,".repeat(100_000)
            + "1]}]}";
    Answer answer = http.post("/v2/models/simple/infer", json);
    assertThat(answer.status()).isEqualTo(400);
    assertThat(answer.head().length).isLessThan(1000);
  }

  @Test
  void shouldRefuseTheSameInputTwice() {
    Answer twice = http.infer("sum", Requests.binary(WIDTH, "A", "A"), new byte[8 * WIDTH]);
    assertThat(twice.status()).isEqualTo(400);
    assertThat(twice.error()).contains("'B'");
  }

  @Test
  void shouldRefuseABodyOverTheLimitBeforeItComes() throws IOException {
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      raw.send(
          "POST /v2/models/wide/infer HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
              .formatted(MAX_MESSAGE_BYTES + 1L));
      assertThat(raw.statusLine()).startsWith("HTTP/1.1 413");
      raw.awaitClose();
    }
  }

  @Test
  void shouldHangUpOnAnEndlessBody() throws IOException {
    String chunk = "10000\r\n" + " ".repeat(0x10000) + "\r\n";
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      raw.send(
          "POST /v2/models/wide/infer HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
      for (int i = 0; i <= MAX_MESSAGE_BYTES / 0x10000; i++) {
        raw.send(chunk);
      }
      assertThat(raw.statusLine()).startsWith("HTTP/1.1 413");
      raw.awaitClose();
    }
  }

  @Test
  void shouldRefuseABodyOverTheLimitOverHttp2() {
    HttpClient http2 =
        server
            .vertx()
            .createHttpClient(
                new HttpClientOptions()
                    .setProtocolVersion(HttpVersion.HTTP_2)
                    .setHttp2ClearTextUpgrade(false));
    Buffer tooMuch = Buffer.buffer(" ".repeat(MAX_MESSAGE_BYTES + 1));
    assertThat(statusOf(http2, HttpMethod.GET, "/v2/health/live", Buffer.buffer())).isEqualTo(200);
    assertThat(statusOf(http2, HttpMethod.POST, "/v2/models/simple/infer", tooMuch)).isEqualTo(413);
    assertThat(statusOf(http2, HttpMethod.GET, "/v2/health/live", Buffer.buffer())).isEqualTo(200);
    TestServer.await(http2.close());
  }

  private static int statusOf(HttpClient client, HttpMethod method, String path, Buffer body) {
    return TestServer.await(
        client
            .request(method, server.httpPort(), "127.0.0.1", path)
            .compose(request -> request.send(body))
            .map(HttpClientResponse::statusCode));
  }

  @Test
  void shouldServeOthersWhileAClientDoesNotReadItsAnswers() throws Exception {
    byte[] json = Requests.binary(WIDTH, "INPUT0").toBuffer().getBytes();
    byte[] body = HttpCalls.concat(json, new byte[4 * WIDTH]);
    String head =
        """
        POST /v2/models/wide/infer HTTP/1.1\r
        host: x\r
        inference-header-content-length: %d\r
        content-length: %d\r
        \r
        """
            .formatted(json.length, body.length);
    byte[] request = HttpCalls.concat(head.getBytes(StandardCharsets.ISO_8859_1), body);
    try (RawConnection slow = new RawConnection(server.httpPort())) {
      CompletableFuture<Void> sender =
          CompletableFuture.runAsync(() -> sendOften(slow, request, PIPELINED));
      for (int i = 0; i < 100; i++) {
        assertThat(http.infer("simple", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
      }
      for (int i = 0; i < PIPELINED; i++) {
        assertThat(slow.answer()).hasSizeGreaterThan(4 * WIDTH);
      }
      sender.join();
    }
  }

  private static void sendOften(RawConnection connection, byte[] request, int times) {
    try {
      for (int i = 0; i < times; i++) {
        connection.send(request);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void shouldRefuseAGzipBomb() throws IOException {
    ByteArrayOutputStream bomb = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(bomb)) {
      gzip.write(new byte[64 << 20]);
    }
    assertThat(bomb.size()).isLessThan(MAX_MESSAGE_BYTES);
    Answer answer = compressed("gzip", bomb.toByteArray());
    assertThat(answer.status()).isEqualTo(413);
    assertThat(answer.error()).contains("decompressed");
  }

  @Test
  void shouldRefuseWhatIsNotCompressedAsItSays() {
    byte[] plain = Requests.row(1, 2, 3, 4).toBuffer().getBytes();
    assertThat(compressed("gzip", plain).status()).isEqualTo(400);
    assertThat(compressed("deflate", plain).status()).isEqualTo(400);
    assertThat(compressed("br", plain).status()).isEqualTo(501);
  }

  @Test
  void shouldSayThatHeadersAreTooLong() throws IOException {
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      raw.send("GET /v2/health/live HTTP/1.1\r\nhost: x\r\nx: " + "y".repeat(20_000) + "\r\n\r\n");
      assertThat(raw.statusLine()).startsWith("HTTP/1.1 431");
      raw.awaitClose();
    }
  }

  @Test
  void shouldSayThatThereAreTooManyHeaders() throws IOException {
    StringBuilder headers = new StringBuilder("GET /v2/health/live HTTP/1.1\r\nhost: x\r\n");
    for (int i = 0; i < 2000; i++) {
      headers.append("x-").append(i).append(": y\r\n");
    }
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      raw.send(headers.append("\r\n").toString());
      assertThat(raw.statusLine()).startsWith("HTTP/1.1 431");
      raw.awaitClose();
    }
  }

  /** Whoever sends on after the answer may lose it to a reset, but not the end. */
  @Test
  void shouldHangUpOnGiantHeaders() throws IOException {
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      raw.offer(
          "GET /v2/health/live HTTP/1.1\r\nhost: x\r\nx: " + "y".repeat(1 << 20) + "\r\n\r\n");
      String answer = raw.statusLine();
      assertThat(answer.isEmpty() || answer.startsWith("HTTP/1.1 431")).as(answer).isTrue();
      raw.awaitClose();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\r\n\r\n\r\n",
        "GARBAGE\r\n\r\n",
        "POST /v2/models/simple/infer HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        "POST /v2/models/simple/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 5x\r\n\r\n",
        "POST /v2/health/live HTTP/1.1\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        "POST /v2/health/live HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u0000\u0000\u0001\u0000garbage garbage garbage garbage"
      })
  void shouldNotStumbleOverGarbage(String bytes) throws IOException {
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      raw.send(bytes + "x".repeat(1000));
    }
  }

  @Test
  void shouldNotStumbleOverGarbageOnEveryPort() throws IOException {
    byte[] noise = new byte[4096];
    new Random(7).nextBytes(noise);
    byte[] preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1);
    for (int port :
        new int[] {server.httpPort(), server.server().grpcPort(), server.server().metricsPort()}) {
      for (byte[] bytes : new byte[][] {noise, HttpCalls.concat(preface, noise)}) {
        try (RawConnection raw = new RawConnection(port)) {
          raw.send(bytes);
        }
      }
    }
  }

  private static Answer compressed(String encoding, byte[] body) {
    return http.send(
        http.request("/v2/models/simple/infer")
            .header("Content-Encoding", encoding)
            .POST(HttpRequest.BodyPublishers.ofByteArray(body))
            .build());
  }

  /** A head whose text is given, right or wrong. */
  private static final class Json extends JsonObject {

    private final String text;

    Json(String text) {
      this.text = text;
    }

    @Override
    public Buffer toBuffer() {
      return Buffer.buffer(text);
    }
  }
}
