package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.zip.InflaterInputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What Triton's clients ask over HTTP beyond the protocol itself. */
final class TritonExtensionsTest extends ServerCase {

  @BeforeAll
  static void start() {
    TestModels models =
        new TestModels(dir)
            .identity("simple", 4)
            .identity("free", DataType.FP32, "batch", "width")
            .identity("wild", DataType.FP32, "batch", "height", "width")
            .identity("text", DataType.BYTES, "batch", 1)
            .identity("texts", DataType.BYTES, "batch", 2)
            .sum("sum", 4)
            .identity("versioned", 4);
    models.unary("versioned", 2, "Neg", DataType.FP32, "batch", 4);
    models.config("versioned", "{\"version_policy\": {\"all\": {}}}");
    serve(models);
  }

  @ParameterizedTest
  @CsvSource({"simple, 4", "free, 1", "free, 7", "free, 20000"})
  void shouldTakeTheBareDataOfTheOnlyInput(String model, int width) {
    byte[] data = Requests.counting(1, width);
    Answer answer = raw(model, data);
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.output(0).getJsonArray("shape")).isEqualTo(new JsonArray().add(1).add(width));
    assertThat(answer.binary()).isEqualTo(data);
  }

  @ParameterizedTest
  @ValueSource(strings = {"a string", ""})
  void shouldTakeABareString(String text) {
    byte[] data = text.getBytes(StandardCharsets.UTF_8);
    Answer answer = raw("text", data);
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.binary())
        .isEqualTo(HttpCalls.concat(new byte[] {(byte) data.length, 0, 0, 0}, data));
  }

  @ParameterizedTest
  @CsvSource({
    "simple, 12, expected 16 bytes",
    "free, 7, a multiple of 4 bytes",
    "wild, 16, one variable dimension",
    "texts, 3, one element",
    "sum, 16, has 2"
  })
  void shouldSayWhyBareDataIsNotEnough(String model, int bytes, String reason) {
    Answer answer = raw(model, new byte[bytes]);
    assertThat(answer.status()).isEqualTo(400);
    assertThat(answer.error()).contains(reason);
  }

  @ParameterizedTest
  @CsvSource({"'[2]'", "'[2,1]'"})
  void shouldGiveAModelOfTextsTheShapeItTakes(String shape) {
    Answer answer =
        http.infer(
            "text",
            Requests.of(
                new JsonObject()
                    .put("name", "INPUT0")
                    .put("datatype", "BYTES")
                    .put("shape", new JsonArray(shape))
                    .put("data", new JsonArray("[\"a\",\"b\"]"))));
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[2,1]"));
    assertThat(answer.data()).isEqualTo(new JsonArray("[\"a\",\"b\"]"));
  }

  @Test
  void shouldNotTakeAnEmptyBodyForBareData() {
    assertThat(http.post("/v2/models/free/infer", "").status()).isEqualTo(400);
  }

  @Test
  void shouldDeflateAnAnswerWhereTheClientCannotGunzip() throws IOException {
    byte[] data = Requests.counting(0, 5000);
    HttpRequest request =
        http.inferRequest("free", Requests.binary(5000, "INPUT0"), data)
            .header("Accept-Encoding", "deflate")
            .build();
    Answer answer = http.send(request);
    assertThat(answer.header("Content-Encoding")).isEqualTo("deflate");
    byte[] body = HttpCalls.concat(answer.head(), answer.binary());
    byte[] inflated = new InflaterInputStream(new ByteArrayInputStream(body)).readAllBytes();
    int head = Integer.parseInt(answer.header("Inference-Header-Content-Length"));
    assertThat(Arrays.copyOfRange(inflated, head, inflated.length)).isEqualTo(data);
  }

  @Test
  void shouldTellOfEveryVersionUnlessOneIsNamed() {
    assertThat(versions("/v2/models/versioned/stats")).containsExactly("1", "2");
    assertThat(versions("/v2/models/versioned/versions/1/stats")).containsExactly("1");
    assertThat(http.get("/v2/models/versioned").json().getJsonArray("versions"))
        .isEqualTo(new JsonArray().add("1").add("2"));
    assertThat(http.get("/v2/models/versioned/versions/1").json().getJsonArray("versions"))
        .isEqualTo(new JsonArray().add("1"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"system", "cuda"})
  void shouldHaveNoSharedMemoryAndSaySo(String kind) {
    String path = "/v2/" + kind + "sharedmemory";
    assertThat(http.get(path + "/status").text()).isEqualTo("[]");
    assertThat(http.post(path + "/unregister", "").status()).isEqualTo(200);
    assertThat(http.post(path + "/region/r/unregister", "").status()).isEqualTo(200);
    Answer unknown = http.get(path + "/region/r/status");
    assertThat(unknown.status()).isEqualTo(404);
    assertThat(unknown.error()).isEqualTo("Unable to find " + kind + " shared memory region: 'r'");
    Answer refused = http.post(path + "/region/r/register", "{\"key\": \"k\", \"byte_size\": 64}");
    assertThat(refused.status()).isEqualTo(501);
    assertThat(refused.error()).contains("shared memory is not ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"/v2/logging", "/v2/trace/setting", "/v2/models/simple/trace/setting"})
  void shouldRefuseSettingsByName(String path) {
    for (Answer answer : List.of(http.get(path), http.post(path, "{}"))) {
      assertThat(answer.status()).isEqualTo(501);
      assertThat(answer.error()).contains("settings are not supported");
    }
  }

  private static Answer raw(String model, byte[] data) {
    return http.send(
        http.request("/v2/models/" + model + "/infer")
            .header("Inference-Header-Content-Length", "0")
            .POST(HttpRequest.BodyPublishers.ofByteArray(data))
            .build());
  }

  private static List<String> versions(String path) {
    return http.get(path).json().getJsonArray("model_stats").stream()
        .map(stats -> ((JsonObject) stats).getString("version"))
        .toList();
  }
}
