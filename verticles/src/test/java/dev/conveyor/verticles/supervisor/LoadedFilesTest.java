package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.ModelOverride;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models whose files come with the load request. */
final class LoadedFilesTest {

  private static final JsonObject ROW = Requests.row(1, 2, 3, 4);

  @TempDir private Path dir;
  @TempDir private Path elsewhere;
  private TestModels models;
  private byte[] negate;

  @BeforeEach
  void makeRepository() throws IOException {
    models = new TestModels(dir).identity("simple", 4);
    TestModels other = new TestModels(elsewhere).unary("x", 1, "Neg", DataType.FP32, "batch", 4);
    negate = Files.readAllBytes(other.file("x", 1));
  }

  @Test
  void shouldServeFilesOfTheRequestAndThoseOfTheRepositoryAgain() throws IOException {
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      assertThat(load(http, "simple", "{}", "file:7/model.onnx", negate).status()).isEqualTo(200);
      assertThat(http.get("/v2/models/simple").json().getJsonArray("versions"))
          .isEqualTo(new JsonArray().add("7"));
      assertThat(http.infer("simple", ROW).data().encode()).isEqualTo("[-1.0,-2.0,-3.0,-4.0]");
      try (var files = Files.walk(dir)) {
        assertThat(files.map(Path::toString)).noneMatch(file -> file.contains("/7"));
      }

      Answer broken = load(http, "simple", "{}", "file:8/model.onnx", new byte[] {1, 2, 3});
      assertThat(broken.status()).isEqualTo(400);
      assertThat(http.infer("simple", ROW).data().encode()).isEqualTo("[-1.0,-2.0,-3.0,-4.0]");

      assertThat(http.post("/v2/repository/models/simple/load", "").status()).isEqualTo(200);
      assertThat(http.infer("simple", ROW).data().encode()).isEqualTo("[1.0,2.0,3.0,4.0]");
    }
  }

  @Test
  void shouldServeAModelThatTheRepositoryDoesNotHaveAndForgetIt() {
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      Answer broken = load(http, "fresh", "{}", "file:1/model.onnx", new byte[] {1});
      assertThat(broken.status()).isEqualTo(400);
      assertThat(load(http, "fresh", "{}", "file:1/model.onnx", negate).status()).isEqualTo(200);
      assertThat(http.infer("fresh", ROW).data().encode()).isEqualTo("[-1.0,-2.0,-3.0,-4.0]");
      assertThat(index(http)).containsExactly("fresh", "simple");
      assertThat(http.post("/v2/repository/models/fresh/load", "").status()).isEqualTo(404);
      assertThat(http.infer("fresh", ROW).status()).isEqualTo(200);

      assertThat(http.post("/v2/repository/models/fresh/unload", "").status()).isEqualTo(200);
      assertThat(http.infer("fresh", ROW).status()).isEqualTo(404);
      assertThat(index(http)).containsExactly("simple");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"file:../simple/1/model.onnx", "file:/etc/x", "file:", "file:.", "file:a/../.."})
  void shouldWriteNothingOutsideOfTheModelsDirectory(String name) {
    try (TestServer server = TestServer.start(models)) {
      Answer answer = load(server.http(), "simple", "{}", name, negate);
      assertThat(answer.status()).isEqualTo(400);
      assertThat(answer.error()).contains("'" + name + "'").contains("1/model.onnx");
      assertThat(server.http().infer("simple", ROW).status()).isEqualTo(200);
    }
  }

  @Test
  void shouldSayWhatALoadLacks() {
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      Answer alone = load(http, "simple", null, "file:1/model.onnx", negate);
      assertThat(alone.status()).isEqualTo(400);
      assertThat(alone.error()).contains("'config'");
      String path = "/v2/repository/models/simple/load";
      Answer number = http.post(path, "{\"parameters\": {\"config\": \"{}\", \"file:x\": 5}}");
      assertThat(number.status()).isEqualTo(400);
      assertThat(number.error()).contains("'file:x'").contains("base64");
      assertThat(
              http.post(path, "{\"parameters\": {\"config\": \"{}\", \"file:x\": \"%\"}}").status())
          .isEqualTo(400);
      assertThat(http.post(path, "{\"parameters\": {\"fast\": true}}").status()).isEqualTo(501);
      assertThat(http.post(path, "{\"parameters\": []}").status()).isEqualTo(400);
      assertThat(http.post("/v2/repository/models/simple/unload", "[]").status()).isEqualTo(400);
    }
  }

  @Test
  void shouldLeaveNoFilesBehind() throws IOException {
    Overrides overrides = new Overrides();
    var written =
        overrides.write(
            "m", new ModelOverride("{}", Map.of("1/model.onnx", negate, "labels.txt", negate)));
    assertThat(written.list()).containsExactly("m");
    assertThat(written.root().resolve("m/1/model.onnx")).hasBinaryContent(negate);
    overrides.discard(written);
    assertThat(written.root()).doesNotExist();
  }

  private static Answer load(
      HttpCalls http, String model, @Nullable String config, String file, byte[] content) {
    JsonObject parameters = new JsonObject().put(file, Base64.getEncoder().encodeToString(content));
    if (config != null) {
      parameters.put("config", config);
    }
    return http.post(
        "/v2/repository/models/" + model + "/load",
        new JsonObject().put("parameters", parameters).encode());
  }

  private static List<String> index(HttpCalls http) {
    return new JsonArray(http.post("/v2/repository/index", "").text())
        .stream().map(entry -> ((JsonObject) entry).getString("name")).toList();
  }
}
