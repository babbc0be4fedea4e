package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.net.http.HttpClient;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Health, metadata, configuration, statistics, and how requests are refused. */
final class HttpProtocolTest extends ServerCase {

  @BeforeAll
  static void start() {
    TestModels models =
        new TestModels(dir)
            .identity("simple", 4)
            .identity("infer", 4)
            .identity("with space", 4)
            .identity("versioned", 4);
    models.unary("versioned", 2, "Neg", DataType.FP32, "batch", 4);
    models.config("versioned", "{\"version_policy\": {\"all\": {}}}");
    serve(models);
  }

  @ParameterizedTest
  @EnumSource(HttpClient.Version.class)
  void shouldServeOverHttp1WhoeverBeginsWithIt(HttpClient.Version asked) {
    HttpCalls calls = new HttpCalls(server.httpPort(), asked);
    Answer live = calls.get("/v2/health/live");
    assertThat(live.status()).isEqualTo(200);
    assertThat(live.response().version()).isEqualTo(HttpClient.Version.HTTP_1_1);
    assertThat(calls.infer("simple", Requests.row(1, 2, 3, 4)).data().encode())
        .isEqualTo("[1.0,2.0,3.0,4.0]");
    byte[] binary = Requests.counting(5, 4);
    assertThat(calls.infer("simple", Requests.binary(4, "INPUT0"), binary).binary())
        .isEqualTo(binary);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/simple/ready",
        "/v2/models/versioned/versions/1/ready",
        "/v2/models/with%20space/ready"
      })
  void shouldSayThatItIsWell(String path) {
    assertThat(http.get(path).status()).isEqualTo(200);
  }

  @Test
  void shouldDescribeTheServer() {
    JsonObject server = http.get("/v2").json();
    assertThat(server.getString("name")).isEqualTo("conveyor");
    assertThat(server.getString("version")).isNotEmpty();
    assertThat(server.getJsonArray("extensions")).contains("binary_tensor_data", "statistics");
  }

  @Test
  void shouldDescribeAModel() {
    assertThat(http.get("/v2/models/versioned").json())
        .isEqualTo(
            new JsonObject(
                """
                {"name":"versioned","versions":["1","2"],"platform":"onnxruntime_onnx",
                 "inputs":[{"name":"INPUT0","datatype":"FP32","shape":[-1,4]}],
                 "outputs":[{"name":"OUTPUT0","datatype":"FP32","shape":[-1,4]}]}"""));
  }

  @Test
  void shouldTellTheCompletedConfiguration() {
    JsonObject config = http.get("/v2/models/simple/config").json();
    assertThat(config.getString("name")).isEqualTo("simple");
    JsonObject input = config.getJsonArray("input").getJsonObject(0);
    assertThat(input.getString("data_type")).isEqualTo("TYPE_FP32");
    // Triton writes 64-bit integers of a configuration as JSON strings or as numbers.
    assertThat(input.getJsonArray("dims").getValue(0)).hasToString("4");
  }

  @Test
  void shouldCountWhatItDid() {
    long before = successes("simple");
    http.infer("simple", Requests.row(1, 2, 3, 4));
    assertThat(successes("simple")).isEqualTo(before + 1);
    assertThat(http.get("/v2/models/stats").json().getJsonArray("model_stats").size()).isEqualTo(5);
  }

  @Test
  void shouldChooseTheVersionThatWasAskedFor() {
    JsonObject row = Requests.row(1, 2, 3, 4);
    Answer newest = http.infer("versioned", row);
    assertThat(newest.json().getString("model_version")).isEqualTo("2");
    assertThat(newest.data().encode()).isEqualTo("[-1.0,-2.0,-3.0,-4.0]");
    Answer first = http.infer("versioned/versions/1", row);
    assertThat(first.json().getString("model_version")).isEqualTo("1");
    assertThat(first.data().encode()).isEqualTo("[1.0,2.0,3.0,4.0]");
  }

  @Test
  void shouldServeModelsWhoseNamesLookLikeItsPaths() {
    JsonObject row = Requests.row(1, 2, 3, 4);
    assertThat(http.infer("infer", row).status()).isEqualTo(200);
    assertThat(http.infer("with%20space", row).json().getString("model_name"))
        .isEqualTo("with space");
  }

  @Test
  void shouldEchoTheId() {
    JsonObject row = Requests.row(1, 2, 3, 4).put("id", "ä-7");
    assertThat(http.infer("simple", row).json().getString("id")).isEqualTo("ä-7");
    assertThat(http.infer("simple", Requests.row(1, 2, 3, 4)).json().containsKey("id")).isFalse();
  }

  @ParameterizedTest
  @CsvSource({
    "GET,  /v2/nothing,                         404",
    "GET,  /v2/models/none,                     404",
    "GET,  /v2/models/none/ready,               404",
    "GET,  /v2/models/none/config,              404",
    "GET,  /v2/models/none/stats,               404",
    "POST, /v2/models/none/infer,               404",
    "POST, /v2/models/simple/versions/9/infer,  404",
    "POST, /v2/models/simple/versions/x/infer,  400",
    "POST, /v2/models/simple/versions/infer,    405",
    "POST, /v2/models/simple/versions//infer,   405",
    "POST, /v2/models/infer,                    405",
    "POST, /v2/models//infer,                   405",
    "POST, /v2/models/a/b/infer,                404",
    "POST, /v2/models/%ZZ/infer,                400",
    "GET,  /v2/models/simple/infer,             405",
    "POST, /v2/models/simple/infer,             400"
  })
  void shouldRefuseWhatItDoesNotHave(String method, String path, int status) throws Exception {
    // The JDK's client refuses to send some of these.
    try (RawConnection raw = new RawConnection(server.httpPort())) {
      raw.send(
          "%s %s HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
              .formatted(method, path));
      String answer = raw.rest();
      assertThat(answer).startsWith("HTTP/1.1 " + status).contains("{\"error\":\"");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'inputs':[]}                                                  | expected 1 inputs",
        "{}                                                             | no 'inputs'",
        "[]                                                             | object",
        "{'inputs':[{'name':'INPUT0'}]}                                 | 'datatype'",
        "{'inputs':[{'name':'X','datatype':'FP32','shape':[1,4],'data':[1,2,3,4]}]}    | 'X'",
        "{'inputs':[{'name':'INPUT0','datatype':'FP32','shape':[1,3],'data':[1,2,3]}]} | shape",
        "{'inputs':[{'name':'INPUT0','datatype':'FP32','shape':[4],'data':[1,2,3,4]}]} | shape",
        "{'inputs':[{'name':'INPUT0','datatype':'INT32','shape':[1,4],'data':[1,2,3,4]}]} | INT32",
        "{'inputs':[{'name':'INPUT0','datatype':'FP99','shape':[1,4],'data':[1,2,3,4]}]} | FP99",
        "{'inputs':[{'name':'INPUT0','datatype':'FP32','shape':[-1,4],'data':[1]}]}   | from 0",
        "{'inputs':[{'name':'INPUT0','datatype':'FP32','shape':[0,4],'data':[]}]}     | batch-size",
        "{'inputs':[{'name':'INPUT0','datatype':'FP32','shape':[1,4]}]}               | no 'data'"
      })
  void shouldSayWhatIsWrongWithARequest(String body, String expected) {
    Answer answer = http.post("/v2/models/simple/infer", body.replace('\'', '"'));
    assertThat(answer.status()).isEqualTo(400);
    assertThat(answer.error()).contains(expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'sequence_id': 5}                          | 501",
        "{'sequence_id': 0, 'sequence_end': false}   | 200",
        "{'shared_memory_region': 'x'}               | 501",
        "{'priority': 1, 'timeout': 60000000}        | 200",
        "{'priority': -1}                            | 400",
        "{'priority': 'high'}                        | 400",
        "{'timeout': 1.5}                            | 400",
        "{'timeout': 18446744073709551617}           | 400",
        "{'anything': [1]}                           | 400",
        "{'anything': 'else'}                        | 200"
      })
  void shouldCheckTheParameters(String parameters, int status) {
    JsonObject row =
        Requests.row(1, 2, 3, 4).put("parameters", new JsonObject(parameters.replace('\'', '"')));
    Answer answer = http.infer("simple", row);
    assertThat(answer.status()).as(answer::text).isEqualTo(status);
  }

  @Test
  void shouldRefuseOutputsThatTheModelDoesNotHave() {
    JsonArray outputs = new JsonArray().add(new JsonObject().put("name", "OUTPUT9"));
    Answer answer = http.infer("simple", Requests.row(1, 2, 3, 4).put("outputs", outputs));
    assertThat(answer.status()).isEqualTo(400);
    assertThat(answer.error()).contains("OUTPUT9").contains("simple");
  }

  private static long successes(String model) {
    return http.get("/v2/models/" + model + "/stats")
        .json()
        .getJsonArray("model_stats")
        .getJsonObject(0)
        .getJsonObject("inference_stats")
        .getJsonObject("success")
        .getLong("count");
  }
}
