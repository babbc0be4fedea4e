package dev.conveyor.verticles.isolation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A whole server, some of whose models run in processes of their own. */
final class ProcessIsolationTest extends ServerCase {

  private static final String ISOLATED =
      """
      {"max_batch_size": 8,
       "instance_group": [{"kind": "KIND_CPU", "count": 1, "isolation": "process"}]}""";

  private static final String RANDOM =
      """
      "model_warmup": [{"name": "random", "batch_size": 1, "inputs":
        {"INPUT0": {"data_type": "TYPE_FP32", "dims": [4], "random_data": true}}}],""";

  @BeforeAll
  static void start() throws IOException {
    TestModels models =
        new TestModels(dir)
            .identity("here", 4)
            .file("here", "1/.profile-CPU.json-17.conveyor-part", "half of")
            .identity("there", 4)
            .config("there", ISOLATED)
            .identity("renewed", 4)
            .config("renewed", ISOLATED)
            .identity("doomed", 4)
            .config("doomed", ISOLATED)
            .file("bad", "1/model.onnx", "this is no model")
            .config("bad", "{\"conveyor\": {\"verify\": \"process\"}}")
            .unary("infinite", 1, "Log", DataType.FP32, "batch", 4)
            .config("infinite", tried("reject_non_finite", ""))
            .unary("finite", 1, "Log", DataType.FP32, "batch", 4)
            .config("finite", tried("reject_non_finite", RANDOM));
    Files.setLastModifiedTime(
        dir.resolve("here/1/.profile-CPU.json-17.conveyor-part"), FileTime.from(Instant.EPOCH));
    serve(models);
  }

  @Test
  void shouldServeAModelInAProcessOfItsOwnAsAnyOther() {
    JsonObject request = Requests.row(1, 2, 3, 4);
    Answer answer = http.infer("there", request);
    assertThat(answer.status()).as(answer.text()).isEqualTo(200);
    assertThat(answer.data()).isEqualTo(http.infer("here", request).data());
    assertThat(answer.data()).isEqualTo(new JsonArray().add(1.0).add(2.0).add(3.0).add(4.0));
    assertThat(
            http.get("/v2/models/there/config")
                .json()
                .getJsonArray("instance_group")
                .getJsonObject(0)
                .getString("isolation"))
        .isEqualTo("process");
  }

  @Test
  void shouldRemoveWhatCrashedServersHadHalfWrittenIntoTheRepository() {
    assertThat(dir.resolve("here/1")).isDirectoryNotContaining("glob:**.conveyor-part");
    assertThat(http.infer("here", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
  }

  @Test
  void shouldTryAModelInAProcessBeforeItIsLoaded() {
    Answer answer = http.post("/v2/repository/models/bad/load", "{}");
    assertThat(answer.status()).isEqualTo(400);
    assertThat(answer.error())
        .contains("tried in a process of its own")
        .contains(dir.resolve("bad").resolve("1").resolve("model.onnx").toString());
    assertThat(http.infer("here", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
  }

  @Test
  void shouldRunABatchOfAModelThatItTriesInAProcess() {
    Answer refused = http.post("/v2/repository/models/infinite/load", "{}");
    assertThat(refused.status()).isEqualTo(400);
    assertThat(refused.error())
        .contains("tried in a process of its own")
        .contains(dir.resolve("infinite").resolve("1").resolve("model.onnx").toString())
        .contains("output 'OUTPUT0' is not finite at element 0");
    assertThat(http.infer("finite", Requests.row(1, 1, 1, 1)).data())
        .as("its warm-up is what it was tried with")
        .isEqualTo(new JsonArray("[0.0,0.0,0.0,0.0]"));
  }

  @Test
  void shouldLoseNoAnswerWhenAWorkerIsKilledUnderLoad() throws Exception {
    long before = workerOf("there").pid();
    AtomicInteger answered = new AtomicInteger();
    CountDownLatch underWay = new CountDownLatch(200);
    List<CompletableFuture<Integer>> clients = new ArrayList<>();
    for (int c = 0; c < 4; c++) {
      int client = c;
      String model = c == 0 ? "here" : "there";
      clients.add(
          CompletableFuture.supplyAsync(
              () -> {
                int refused = 0;
                for (int i = 0; i < 150; i++) {
                  Answer answer = http.infer(model, Requests.row(client, i, i + 0.5f, -i));
                  if (answer.status() == 200) {
                    assertThat(answer.data())
                        .isEqualTo(
                            new JsonArray()
                                .add((double) client)
                                .add((double) i)
                                .add(i + 0.5)
                                .add((double) -i));
                  } else {
                    assertThat(answer.status()).as(answer.text()).isEqualTo(503);
                    refused++;
                  }
                  answered.incrementAndGet();
                  underWay.countDown();
                }
                return refused;
              }));
    }
    underWay.await();
    assertThat(workerOf("there").destroyForcibly()).isTrue();

    assertThat(clients.get(0).get()).as("refused of the model that was not touched").isZero();
    for (CompletableFuture<Integer> client : clients) {
      client.get();
    }
    assertThat(answered).hasValue(600);
    awaitAnswer("there");
    assertThat(workerOf("there").pid()).isNotEqualTo(before);
  }

  @Test
  void shouldReplaceALostWorkerWithTheSpareAndShowBoth() {
    long spare = awaitSpare();
    double takenBefore = metric("conveyor_spare_workers_taken_total");
    assertThat(workerOf("there").pid()).isNotEqualTo(spare);
    assertThat(instances("here").getJsonObject(0).containsKey("pid")).isFalse();

    assertThat(workerOf("there").destroyForcibly()).isTrue();
    TestServer.awaitThat(() -> !spares().encode().contains("\"pid\":" + spare + ","));
    awaitAnswer("there");
    TestServer.awaitThat(() -> instances("there").encode().contains("\"pid\":" + spare));

    assertThat(instances("there").size()).isEqualTo(1);
    assertThat(metric("conveyor_spare_workers_taken_total")).isEqualTo(takenBefore + 1);
    assertThat(awaitSpare()).isNotEqualTo(spare);
    assertThat(metric("conveyor_spare_workers")).isEqualTo(1);
  }

  @Test
  void shouldReplaceAWorkerThatDiesWhileNobodyAsksIt() {
    JsonObject before = instances("there").getJsonObject(0);
    ProcessHandle worker = workerOf("there");
    assertThat(worker.destroyForcibly()).isTrue();
    JsonArray now = instances("there");
    while (now.size() != 1
        || now.getJsonObject(0).getInteger("index").equals(before.getInteger("index"))) {
      now = instances("there");
    }
    assertThat(now.getJsonObject(0).getString("state")).isEqualTo("READY");
    assertThat(http.infer("there", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
  }

  @Test
  void shouldSayWhyAModelCannotComeBack() throws IOException {
    Path file = dir.resolve("doomed").resolve("1").resolve("model.onnx");
    Files.writeString(file, "written over in place");
    assertThat(workerOf("doomed").destroyForcibly()).isTrue();
    Answer answer = http.infer("doomed", Requests.row(1, 2, 3, 4));
    while (!answer.text().contains(file.toString())) {
      answer = http.infer("doomed", Requests.row(1, 2, 3, 4));
    }
    assertThat(answer.status()).as(answer.text()).isEqualTo(503);
    assertThat(http.get("/v2/models/doomed/ready").status()).isNotEqualTo(200);
    assertThat(http.infer("here", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
  }

  @Test
  void shouldReplaceAWorkerWithWhatWasLoadedWhenItsFileIsAnotherOneOrNone() throws IOException {
    Path file = dir.resolve("renewed").resolve("1").resolve("model.onnx");
    Files.delete(file);
    assertThat(workerOf("renewed").destroyForcibly()).isTrue();
    awaitAnswer("renewed");

    Files.writeString(file, "this is no model");
    assertThat(workerOf("renewed").destroyForcibly()).isTrue();
    awaitAnswer("renewed");
    assertThat(http.post("/v2/repository/models/renewed/load", "{}").status())
        .as("a reload reads the repository")
        .isEqualTo(400);
    assertThat(http.infer("renewed", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
  }

  private static String tried(String and, String warmup) {
    return "{\"max_batch_size\": 8, %s \"conveyor\": {\"verify\": \"process\", \"%s\": true}}"
        .formatted(warmup, and);
  }

  private static long awaitSpare() {
    TestServer.awaitThat(() -> !spares().isEmpty());
    return spares().getJsonObject(0).getLong("pid");
  }

  private static JsonArray spares() {
    return http.get("/v2/memory").json().getJsonArray("spare_workers");
  }

  private static double metric(String name) {
    return new HttpCalls(server.server().metricsPort())
        .get("/metrics")
        .text()
        .lines()
        .filter(line -> line.startsWith(name + " "))
        .mapToDouble(line -> Double.parseDouble(line.substring(name.length())))
        .findFirst()
        .orElseThrow();
  }

  private static void awaitAnswer(String model) {
    Answer answer = http.infer(model, Requests.row(1, 2, 3, 4));
    while (answer.status() != 200) {
      answer = http.infer(model, Requests.row(1, 2, 3, 4));
    }
  }

  private static JsonArray instances(String model) {
    return http.get("/v2/models/" + model + "/instances").json().getJsonArray("instances");
  }

  private static ProcessHandle workerOf(String model) {
    return ProcessHandle.of(instances(model).getJsonObject(0).getLong("pid")).orElseThrow();
  }
}
