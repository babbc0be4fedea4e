package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.HostMemory;
import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Loading, replacing and unloading models of a server that is in use. */
final class ModelSupervisorTest {

  private static final int CLIENTS = 4;
  private static final int RELOADS = 10;
  private static final String GATED =
      "{\"parameters\": {\"test_gate\": {\"string_value\": \"g\"}}}";

  @TempDir private Path dir;
  private TestModels models;

  @BeforeEach
  void makeRepository() {
    models = new TestModels(dir).identity("simple", 4);
  }

  @Test
  void shouldAnswerEveryRequestWhileTheModelIsReloaded() throws Exception {
    try (TestServer server = TestServer.start(models)) {
      AtomicBoolean done = new AtomicBoolean();
      AtomicInteger answered = new AtomicInteger();
      List<CompletableFuture<String>> clients = new ArrayList<>();
      for (int i = 0; i < CLIENTS; i++) {
        float first = i;
        clients.add(
            CompletableFuture.supplyAsync(() -> firstWrong(server.http(), first, done, answered)));
      }
      for (int i = 0; i < RELOADS; i++) {
        int before = answered.get();
        assertThat(post(server, "load").status()).isEqualTo(200);
        TestServer.awaitThat(
            () -> answered.get() != before || clients.stream().anyMatch(CompletableFuture::isDone));
      }
      done.set(true);
      for (CompletableFuture<String> client : clients) {
        assertThat(client.get(60, TimeUnit.SECONDS)).isEmpty();
      }
      assertThat(answered.get()).isGreaterThan(RELOADS);
      server.assertIdle();
    }
  }

  private static String firstWrong(
      HttpCalls http, float first, AtomicBoolean done, AtomicInteger answered) {
    String expected = "[" + first + ",2.0,3.0,4.0]";
    while (!done.get()) {
      Answer answer = http.infer("simple", Requests.row(first, 2, 3, 4));
      if (answer.status() != 200 || !answer.data().encode().equals(expected)) {
        return answer.status() + " " + answer.text();
      }
      answered.incrementAndGet();
    }
    return "";
  }

  @Test
  void shouldServeTheOldVersionWhenAReloadFails() throws IOException {
    try (TestServer server = TestServer.start(models)) {
      long reserved = server.server().budget().reservedBytes();
      Files.writeString(models.file("simple", 1), "not a model");
      Answer refused = post(server, "load");
      assertThat(refused.status()).isEqualTo(400);
      assertThat(refused.error()).contains("failed to load 'simple'");
      assertServes(server);
      assertThat(server.server().budget().reservedBytes()).isEqualTo(reserved);

      Answer wrongConfig = load(server, "{\"max_batch_size\": -3}");
      assertThat(wrongConfig.status()).isEqualTo(400);
      assertThat(wrongConfig.error()).contains("max_batch_size");
      assertThat(load(server, "{\"input\": 5}").status()).isEqualTo(400);
      assertServes(server);
    }
  }

  @Test
  void shouldTakeTheConfigurationOfALoadFromTheRequest() {
    try (TestServer server = TestServer.start(models)) {
      assertThat(load(server, "{\"max_batch_size\": 2}").status()).isEqualTo(200);
      JsonObject config = server.http().get("/v2/models/simple/config").json();
      assertThat(config.getInteger("max_batch_size")).isEqualTo(2);
      assertThat(post(server, "load").status()).isEqualTo(200);
      assertThat(server.http().get("/v2/models/simple/config").json().getInteger("max_batch_size"))
          .isNotEqualTo(2);
    }
  }

  @Test
  void shouldRefuseToLoadWhatIsNotThereAndForgetIt() {
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      for (String name : new String[] {"none", "..%2Fsimple", "%2Fetc", ".."}) {
        Answer answer = http.post("/v2/repository/models/" + name + "/load", "");
        assertThat(answer.status()).as(name).isEqualTo(404);
        assertThat(answer.error()).isNotEmpty();
      }
      assertThat(http.post("/v2/repository/models/none/unload", "").status()).isEqualTo(404);
      assertThat(http.infer("none", Requests.row(1)).status()).isEqualTo(404);
      assertThat(index(http)).hasSize(1);
    }
  }

  @Test
  void shouldAnswerQueuedRequestsBeforeItUnloads() throws Exception {
    models.config("simple", GATED);
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      List<CompletableFuture<Answer>> answers = new ArrayList<>();
      Future<Void> unloaded;
      try (Gate gate = Gate.shut("g")) {
        answers.add(http.inferAsync("simple", Requests.row(0, 2, 3, 4), new byte[0]));
        gate.awaitArrival();
        for (int i = 1; i < 5; i++) {
          answers.add(http.inferAsync("simple", Requests.row(i, 2, 3, 4), new byte[0]));
        }
        server.awaitQueued("simple", 4);
        unloaded = server.server().repository().unload("simple");
        TestServer.await(server.server().repository().index()); // the unload has begun
        Answer late = http.infer("simple", Requests.row(9, 2, 3, 4));
        assertThat(late.status()).isEqualTo(503);
        assertThat(late.error()).contains("unloaded");
      }
      for (int i = 0; i < answers.size(); i++) {
        Answer answer = answers.get(i).get(60, TimeUnit.SECONDS);
        assertThat(answer.status()).as(answer::text).isEqualTo(200);
        assertThat(answer.data().getFloat(0)).isEqualTo(i);
      }
      TestServer.await(unloaded);
      assertThat(server.server().budget().reservedBytes()).isZero();
    }
  }

  @Test
  void shouldHoldNoMoreMemoryAfterManyLoadsAndUnloads() {
    try (TestServer server = TestServer.start(models.identity("wide", 8192))) {
      long afterTwo = 0;
      for (int round = 1; round <= 10; round++) {
        assertThat(server.http().post("/v2/repository/models/wide/load", "").status())
            .isEqualTo(200);
        byte[] data = Requests.counting(round, 8192);
        for (int i = 0; i < 5; i++) {
          assertThat(server.http().infer("wide", Requests.binary(8192, "INPUT0"), data).binary())
              .isEqualTo(data);
        }
        assertThat(server.http().post("/v2/repository/models/wide/unload", "").status())
            .isEqualTo(200);
        server.assertIdle();
        assertThat(server.server().budget().holders().keySet())
            .allMatch(owner -> owner.startsWith("simple"));
        assertThat(server.server().requestMemory().idleBytes()).isZero();
        System.gc();
        if (round == 2) {
          afterTwo = HostMemory.pointerBytes();
        }
      }
      // Netty's pools grow by whole chunks and per thread; a model or a lease would be 10 times
      // its size by now.
      assertThat(HostMemory.pointerBytes()).isLessThan(afterTwo + (4 << 20));
    }
  }

  @Test
  void shouldServeTheVersionsThatThePolicyNames() {
    models.unary("simple", 2, "Neg", DataType.FP32, "batch", 4);
    models.unary("simple", 10, "Abs", DataType.FP32, "batch", 4);
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      assertThat(versions(http)).containsExactly("10");
      load(server, "{\"version_policy\": {\"latest\": {\"num_versions\": 2}}}");
      assertThat(versions(http)).containsExactly("2", "10");
      load(server, "{\"version_policy\": {\"specific\": {\"versions\": [1]}}}");
      assertThat(versions(http)).containsExactly("1");
      load(server, "{\"version_policy\": {\"all\": {}}}");
      assertThat(versions(http)).containsExactly("1", "2", "10");
      Answer none = load(server, "{\"version_policy\": {\"specific\": {\"versions\": [7]}}}");
      assertThat(none.status()).isEqualTo(400);
      assertThat(none.error()).contains("version_policy").contains("7");
      assertThat(versions(http)).containsExactly("1", "2", "10");
    }
  }

  @Test
  void shouldServeTheOthersWhenAModelIsBroken() {
    models.file("broken", "1/model.onnx", "nothing").config("typo", "{\"max_bach_size\": 1}");
    models.identity("typo", 4).identity("on_gpu", 4);
    models.config("on_gpu", "{\"instance_group\": [{\"kind\": \"KIND_GPU\"}]}");
    models.file("empty", "readme.txt", "no version here");
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      assertThat(http.get("/v2/health/ready").status()).isEqualTo(200);
      assertServes(server);
      assertThat(reason(http, "broken")).contains("model.onnx");
      assertThat(reason(http, "typo")).contains("max_bach_size").contains("max_batch_size");
      assertThat(reason(http, "on_gpu")).contains("KIND_GPU").contains("KIND_AUTO");
      assertThat(reason(http, "empty")).contains("version");
      Answer answer = http.infer("broken", Requests.row(1, 2, 3, 4));
      assertThat(answer.status()).isEqualTo(503);
      assertThat(answer.error()).contains("'broken' is not ready");
      assertThat(answer.header("Retry-After")).isEqualTo("1");
      assertThat(http.get("/v2/models/broken/ready").status()).isEqualTo(503);
      Answer ready = http.post("/v2/repository/index", "{\"ready\": true}");
      assertThat(new JsonArray(ready.text())).hasSize(1);
    }
  }

  @Test
  void shouldUndoALoadThatIsUnderWayWhenTheServerStops() throws Exception {
    models.config("simple", GATED);
    TestServer server = TestServer.start(models);
    try (Gate gate = Gate.shut("g")) {
      Future<Void> load = server.server().repository().load("simple", GATED);
      gate.awaitArrival(); // its warm-up
      Future<Void> stopped = server.server().stop();
      gate.open();
      TestServer.await(stopped);
      TestServer.await(load.otherwiseEmpty());
    }
    assertThat(server.server().budget().holders()).isEmpty();
    TestServer.await(server.vertx().close());
  }

  @Test
  void shouldLoadOtherModelsWhenAnInstanceOfOneDoesNotComeUp() throws Exception {
    models.identity("other", 4).config("simple", GATED);
    JsonObject limits = new JsonObject().put("load_timeout_ms", 5000);
    try (TestServer server = TestServer.start(models, new JsonObject().put("limits", limits))) {
      long reserved = server.server().budget().reservedBytes();
      try (Gate gate = Gate.shut("g")) {
        Future<Void> stuck = server.server().repository().load("simple", GATED);
        gate.awaitArrival(); // its warm-up
        Answer other = server.http().post("/v2/repository/models/other/load", "");
        assertThat(other.status()).as(other::text).isEqualTo(200);
        assertThatThrownBy(() -> TestServer.await(stuck))
            .hasMessageContaining("did not start within 5000 ms (limits.load_timeout_ms)");
      }
      assertServes(server);
      // What it held goes when its thread is back.
      TestServer.awaitThat(() -> server.server().budget().reservedBytes() == reserved);
      TestServer.await(server.server().repository().load("simple", GATED));
      assertServes(server);
      server.assertIdle();
    }
  }

  private static Answer post(TestServer server, String verb) {
    return server.http().post("/v2/repository/models/simple/" + verb, "");
  }

  private static Answer load(TestServer server, String config) {
    JsonObject parameters = new JsonObject().put("config", config);
    return server
        .http()
        .post(
            "/v2/repository/models/simple/load",
            new JsonObject().put("parameters", parameters).encode());
  }

  private static void assertServes(TestServer server) {
    assertThat(server.http().infer("simple", Requests.row(1, 2, 3, 4)).data().encode())
        .isEqualTo("[1.0,2.0,3.0,4.0]");
  }

  private static List<String> versions(HttpCalls http) {
    return http.get("/v2/models/simple").json().getJsonArray("versions").stream()
        .map(Object::toString)
        .toList();
  }

  private static List<JsonObject> index(HttpCalls http) {
    return new JsonArray(http.post("/v2/repository/index", "").text())
        .stream().map(JsonObject.class::cast).toList();
  }

  private static String reason(HttpCalls http, String model) {
    return index(http).stream()
        .filter(entry -> entry.getString("name").equals(model))
        .map(entry -> entry.getString("reason"))
        .findFirst()
        .orElse("");
  }
}
