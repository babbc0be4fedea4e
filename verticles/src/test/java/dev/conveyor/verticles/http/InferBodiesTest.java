package dev.conveyor.verticles.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.Random;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How bodies come and go: large, mixed, chunked, compressed, several tensors, some outputs. */
final class InferBodiesTest extends ServerCase {

  private static final int WIDTH = 8192;
  private static final String HEAD_LENGTH = "Inference-Header-Content-Length";

  @BeforeAll
  static void start() {
    serve(
        new TestModels(dir)
            .identity("wide", WIDTH)
            .sum("sum", WIDTH)
            .sum("small_sum", 2)
            .identity("classes", 5)
            .file("classes", "labels.txt", "zero\none\ntwo\nthree\nfour\n")
            .config(
                "classes",
                """
                    {"max_batch_size": 4, "output": [{"name": "OUTPUT0",
                     "data_type": "TYPE_FP32", "dims": [5], "label_filename": "labels.txt"}]}"""));
  }

  @ParameterizedTest
  @EnumSource(HttpClient.Version.class)
  void shouldReadLargeBodiesIntoALease(HttpClient.Version version) {
    HttpCalls calls = new HttpCalls(server.httpPort(), version);
    byte[] first = Requests.counting(0, WIDTH);
    byte[] second = Requests.counting(1, WIDTH);
    for (int i = 0; i < 3; i++) {
      Answer answer =
          calls.infer("sum", Requests.binary(WIDTH, "A", "B"), HttpCalls.concat(first, second));
      assertThat(answer.status()).as(answer::text).isEqualTo(200);
      float[] sum = Requests.floats(answer.binary());
      assertThat(sum).hasSize(WIDTH);
      assertThat(sum[0]).isEqualTo(1f);
      assertThat(sum[WIDTH - 1]).isEqualTo(2f * WIDTH - 1);
    }
  }

  @Test
  void shouldTakeInputsInAnyOrder() {
    byte[] first = Requests.counting(0, WIDTH);
    byte[] second = new byte[4 * WIDTH];
    Answer answer =
        http.infer("sum", Requests.binary(WIDTH, "B", "A"), HttpCalls.concat(first, second));
    assertThat(answer.binary()).isEqualTo(first);
  }

  @Test
  void shouldTakeOneInputAsJsonAndTheOtherAsBinaryData() {
    JsonObject a = Requests.input("A", 1, 2).put("data", new JsonArray("[1,2]"));
    JsonObject b =
        Requests.input("B", 1, 2).put("parameters", new JsonObject().put("binary_data_size", 8));
    JsonArray outputs = new JsonArray().add(new JsonObject().put("name", "SUM"));
    Answer answer =
        http.infer(
            "small_sum", Requests.of(a, b).put("outputs", outputs), Requests.counting(10, 2));
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.data().encode()).isEqualTo("[11.0,13.0]");
  }

  @Test
  void shouldLetAnOutputsOwnChoiceWin() {
    JsonObject wanted =
        new JsonObject()
            .put("name", "OUTPUT0")
            .put("parameters", new JsonObject().put("binary_data", false));
    Answer answer =
        http.infer(
            "classes",
            Requests.row(1, 2, 3, 4, 5)
                .put("parameters", new JsonObject().put("binary_data_output", true))
                .put("outputs", new JsonArray().add(wanted)));
    assertThat(answer.binary()).isEmpty();
    assertThat(answer.data().encode()).isEqualTo("[1.0,2.0,3.0,4.0,5.0]");
  }

  @Test
  void shouldNameTheLargestClasses() {
    JsonObject wanted =
        new JsonObject()
            .put("name", "OUTPUT0")
            .put("parameters", new JsonObject().put("classification", 2));
    JsonObject row = Requests.row(0.5f, 0f, 7f, 0f, 2f);
    Answer answer = http.infer("classes", row.put("outputs", new JsonArray().add(wanted)));
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.output(0).getString("datatype")).isEqualTo("BYTES");
    assertThat(answer.data().encode()).isEqualTo("[\"7.000000:2:two\",\"2.000000:4:four\"]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"gzip", "deflate", "identity"})
  void shouldReadCompressedBodies(String encoding) throws IOException {
    byte[] json = Requests.binary(WIDTH, "INPUT0").toBuffer().getBytes();
    byte[] data = Requests.counting(3, WIDTH);
    byte[] body = compress(encoding, HttpCalls.concat(json, data));
    Answer answer =
        http.send(
            http.request("/v2/models/wide/infer")
                .header("Content-Encoding", encoding)
                .header(HEAD_LENGTH, Integer.toString(json.length))
                .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                .build());
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.binary()).isEqualTo(data);
  }

  @Test
  void shouldCompressTheAnswerWhenAsked() throws IOException {
    byte[] data = Requests.counting(3, WIDTH);
    JsonObject head = Requests.binary(WIDTH, "INPUT0");
    HttpRequest request =
        http.inferRequest("wide", head, data).header("Accept-Encoding", "deflate, gzip").build();
    Answer answer = http.send(request);
    assertThat(answer.header("Content-Encoding")).isEqualTo("gzip");
    byte[] plain =
        new GZIPInputStream(new ByteArrayInputStream(answer.response().body())).readAllBytes();
    int length = Integer.parseInt(answer.header(HEAD_LENGTH));
    assertThat(
            new JsonObject(new String(plain, 0, length, StandardCharsets.UTF_8))
                .getString("model_name"))
        .isEqualTo("wide");
    assertThat(Arrays.copyOfRange(plain, length, plain.length)).isEqualTo(data);
  }

  @Test
  void shouldNotCompressTheAnswerWhenGzipIsRefused() {
    HttpRequest request =
        http.inferRequest("wide", Requests.binary(WIDTH, "INPUT0"), Requests.counting(3, WIDTH))
            .header("Accept-Encoding", "gzip;q=0, identity")
            .build();
    assertThat(http.send(request).header("Content-Encoding")).isEmpty();
  }

  @Test
  void shouldReadALargeBodyInChunks() {
    byte[] json = Requests.binary(WIDTH, "INPUT0").toBuffer().getBytes();
    byte[] data = Requests.counting(3, WIDTH);
    byte[] body = HttpCalls.concat(json, data);
    Answer answer =
        http.send(
            http.request("/v2/models/wide/infer")
                .header(HEAD_LENGTH, Integer.toString(json.length))
                .POST(
                    HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body)))
                .build());
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.binary()).isEqualTo(data);
  }

  @Test
  void shouldReadSeventyThousandChunksOfOneByte() throws IOException {
    String json = Requests.row(1, 2, 3, 4, 5).encode();
    String padded = json + " ".repeat(70_000 - json.length());
    StringBuilder request = new StringBuilder();
    request.append(
        "POST /v2/models/classes/infer HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    for (int i = 0; i < padded.length(); i++) {
      request.append("1\r\n").append(padded.charAt(i)).append("\r\n");
    }
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      raw.send(request.append("0\r\n\r\n").toString());
      assertThat(raw.statusLine()).isEqualTo("HTTP/1.1 200 OK");
    }
  }

  @Test
  void shouldReadSeventyThousandFramesOfOneByteIntoALease() {
    io.vertx.core.http.HttpClient http2 =
        server
            .vertx()
            .createHttpClient(
                new HttpClientOptions()
                    .setProtocolVersion(HttpVersion.HTTP_2)
                    .setHttp2ClearTextUpgrade(false));
    String head = Requests.binary(WIDTH, "INPUT0").encode();
    byte[] json = (head + " ".repeat(70_000 - 4 * WIDTH - head.length())).getBytes(ISO_8859_1);
    byte[] data = Requests.counting(3, WIDTH);
    byte[] body = HttpCalls.concat(json, data);
    HttpClientRequest request =
        TestServer.await(
            http2.request(
                HttpMethod.POST, server.httpPort(), "127.0.0.1", "/v2/models/wide/infer"));
    request
        .putHeader(HEAD_LENGTH, Integer.toString(json.length))
        .putHeader("content-length", Integer.toString(body.length));
    Future<Buffer> answer =
        request
            .response()
            .compose(
                response -> {
                  assertThat(response.statusCode()).isEqualTo(200);
                  return response.body();
                });
    for (byte each : body) {
      request.write(Buffer.buffer(new byte[] {each}));
    }
    request.end();
    byte[] all = TestServer.await(answer).getBytes();
    assertThat(Arrays.copyOfRange(all, all.length - data.length, all.length)).isEqualTo(data);
    TestServer.await(http2.close());
  }

  @Test
  void shouldReadSeventyThousandChunksOfACompressedBody() throws IOException {
    byte[] noise = new byte[70_000];
    new Random(5).nextBytes(noise);
    String id = Base64.getEncoder().encodeToString(noise);
    byte[] body =
        compress("gzip", Requests.row(1, 2, 3, 4, 5).put("id", id).encode().getBytes(ISO_8859_1));
    assertThat(body.length).isGreaterThan(70_000);

    String answer = inChunksOfOneByte(body, "content-encoding: gzip\r\n");

    assertThat(answer).startsWith("HTTP/1.1 200 OK");
  }

  @Test
  void shouldRefuseSeventyThousandChunksThatAreFewerThanTheirHead() throws IOException {
    String answer = inChunksOfOneByte(new byte[70_000], HEAD_LENGTH + ": 100000\r\n");

    assertThat(answer).startsWith("HTTP/1.1 400");
  }

  @Test
  void shouldRefuseSeventyThousandChunksThatAreNotCompressedAsTheySay() throws IOException {
    String answer = inChunksOfOneByte(new byte[70_000], "content-encoding: gzip\r\n");

    assertThat(answer).startsWith("HTTP/1.1 400");
  }

  private static String inChunksOfOneByte(byte[] body, String headers) throws IOException {
    ByteArrayOutputStream request = new ByteArrayOutputStream();
    request.writeBytes(
        ("POST /v2/models/classes/infer HTTP/1.1\r\nhost: x\r\n"
                + headers
                + "transfer-encoding: chunked\r\n\r\n")
            .getBytes(ISO_8859_1));
    for (byte each : body) {
      request.writeBytes(new byte[] {'1', '\r', '\n', each, '\r', '\n'});
    }
    request.writeBytes("0\r\n\r\n".getBytes(ISO_8859_1));
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      return raw.offer(request.toString(ISO_8859_1)).statusLine();
    }
  }

  @Test
  void shouldServePipelinedRequestsInOrder() throws IOException {
    StringBuilder requests = new StringBuilder();
    for (int i = 0; i < 20; i++) {
      String json = Requests.row(i, 2, 3, 4, 5).put("id", "r" + i).encode();
      requests
          .append("POST /v2/models/classes/infer HTTP/1.1\r\nhost: x\r\n")
          .append(i == 19 ? "connection: close\r\n" : "")
          .append("content-length: ")
          .append(json.length())
          .append("\r\n\r\n")
          .append(json);
    }
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      String answers = raw.send(requests.toString()).rest();
      int at = 0;
      for (int i = 0; i < 20; i++) {
        int next = answers.indexOf("\"id\":\"r" + i + "\"", at);
        assertThat(next).as("answer " + i).isGreaterThanOrEqualTo(at);
        at = next;
      }
    }
  }

  private static byte[] compress(String encoding, byte[] plain) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    switch (encoding) {
      case "gzip" -> {
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
          gzip.write(plain);
        }
      }
      case "deflate" -> {
        try (DeflaterOutputStream deflate = new DeflaterOutputStream(out)) {
          deflate.write(plain);
        }
      }
      default -> out.write(plain);
    }
    return out.toByteArray();
  }
}
