package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.chaos.Poison;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Instances that come and go with the load, which the test makes, in windows that it ends. */
final class InstanceScalingTest {

  private static final long SECOND = 1_000_000_000L;
  private static final String ELASTIC =
      """
      {"parameters": {"chaos": {"string_value": "on"}},
       "conveyor": {"min_count": 1, "max_count": 2}}""";

  @TempDir private Path dir;

  @Test
  void shouldAddAnInstanceWhileRequestsWaitAndTakeItBackAfterwards() throws Exception {
    TestModels models = new TestModels(dir).identity("elastic", 4).config("elastic", ELASTIC);
    try (TestServer server = TestServer.start(models, cores(4))) {
      InstanceScaling scaling = scaling(server);
      ConcurrentLinkedQueue<JsonObject> events = steps(server);
      TestServer.await(scaling.look(0));
      awaitInstances(server, 1);

      slowRequests(server.http());
      TestServer.await(scaling.look(5 * SECOND));
      awaitInstances(server, 1);
      slowRequests(server.http());
      TestServer.await(scaling.look(10 * SECOND));
      awaitInstances(server, 2);
      assertThat(server.server().budget().holders())
          .as("two pairs of slabs, one set of weights")
          .containsEntry("elastic/1/slabs", 2L * 2 * 32 * 4 * 4);

      slowRequests(server.http());
      slowRequests(server.http());
      for (int window = 3; window <= 16; window++) {
        TestServer.await(scaling.look(5 * SECOND * window));
      }
      awaitInstances(server, 1);
      assertThat(server.http().infer("elastic", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);

      TestServer.awaitThat(() -> events.size() >= 2);
      assertThat(events).extracting(event -> event.getInteger("instances")).containsExactly(2, 1);
      assertThat(events.element().getString("reason")).contains("5 % waited longer than");
      JsonArray decisions =
          server
              .http()
              .get("/v2/scheduler/decisions?model=elastic&kind=SCALE")
              .json()
              .getJsonArray("decisions");
      assertThat(decisions).hasSize(2);
      assertThat(decisions.getJsonObject(1).getString("reason"))
          .startsWith("2 instances instead of 1: ")
          .contains("5 % waited longer than");
      assertThat(scrape(server))
          .contains(
              "conveyor_instance_steps_total"
                  + "{model=\"elastic\",version=\"1\",direction=\"up\"} 1")
          .contains(
              "conveyor_instance_steps_total"
                  + "{model=\"elastic\",version=\"1\",direction=\"down\"} 1");
      server.assertIdle();
    }
  }

  @Test
  void shouldStartOneMoreProcessWhenInstancesAreIsolated() throws Exception {
    String isolated =
        """
        {"parameters": {"chaos": {"string_value": "on"}},
         "instance_group": [{"kind": "KIND_CPU", "isolation": "process"}],
         "conveyor": {"max_count": 2}}""";
    TestModels models = new TestModels(dir).identity("elastic", 4).config("elastic", isolated);
    JsonObject settings = cores(4).put("isolation", new JsonObject().put("spare_workers", 0));
    try (TestServer server = TestServer.start(models, settings)) {
      InstanceScaling scaling = scaling(server);
      final long workers = ProcessHandle.current().children().count();
      TestServer.await(scaling.look(0));
      for (int window = 1; window <= 2; window++) {
        slowRequests(server.http());
        TestServer.await(scaling.look(5 * SECOND * window));
      }
      awaitInstances(server, 2);
      assertThat(ProcessHandle.current().children().count()).isEqualTo(workers + 1);
      slowRequests(server.http());
      server.assertIdle();
    }
  }

  @Test
  void shouldStayWhereItIsWhenOneMoreWouldHaveNoCores() throws Exception {
    String wide =
        """
        {"parameters": {"chaos": {"string_value": "on"}},
         "conveyor": {"max_count": 2, "intra_op_threads": 2}}""";
    TestModels models = new TestModels(dir).identity("elastic", 4).config("elastic", wide);
    try (TestServer server = TestServer.start(models, cores(3))) {
      InstanceScaling scaling = scaling(server);
      for (int window = 0; window < 4; window++) {
        TestServer.await(scaling.look(5 * SECOND * window));
        slowRequests(server.http());
      }
      awaitInstances(server, 1);
      server.assertIdle();
    }
  }

  @Test
  void shouldNotWaitForAnInstanceThatHangsWhileItIsTakenDown() throws Exception {
    String two =
        """
        {"max_batch_size": 1, "parameters": {"test_gate": {"string_value": "elastic"}},
         "instance_group": [{"kind": "KIND_CPU", "count": 2}],
         "conveyor": {"min_count": 1, "max_count": 2}}""";
    TestModels models = new TestModels(dir).identity("elastic", 4).config("elastic", two);
    try (TestServer server = TestServer.startImpatient(models, cores(4))) {
      InstanceScaling scaling = scaling(server);
      awaitInstances(server, 2);
      TestServer.await(scaling.look(0));
      TestServer.await(scaling.look(5 * SECOND));
      List<CompletableFuture<Answer>> answers = new ArrayList<>();
      try (Gate gate = Gate.hold("elastic", 2)) {
        // Both at once: the first is not to be cut, and run again, before the second is there.
        for (int i = 0; i < 2; i++) {
          answers.add(server.http().inferAsync("elastic", Requests.row(i, 2, 3, 4), new byte[0]));
        }
        gate.awaitArrival();
        gate.awaitArrival();
        CompletableFuture<Void> step =
            scaling.look(70 * SECOND).toCompletionStage().toCompletableFuture();
        for (CompletableFuture<Answer> answer : answers) {
          assertThat(answer.get(60, TimeUnit.SECONDS).status()).as("run elsewhere").isEqualTo(200);
        }
        step.get(60, TimeUnit.SECONDS);
        assertThat(board(server)).contains("HUNG");
        awaitInstances(server, 1);
      }
      TestServer.awaitThat(() -> !board(server).contains("HUNG"));
      server.assertIdle();
    }
  }

  private static String board(TestServer server) {
    return server.http().get("/v2/models/elastic/instances").text();
  }

  @Test
  void shouldStoreWhatWasLearnedWhileTheServerRuns() {
    TestModels models = new TestModels(dir).identity("model", 4);
    try (TestServer server = TestServer.start(models)) {
      assertThat(server.http().infer("model", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
      Path file = dir.resolve("model/1/profile-CPU.json");
      assertThat(file).doesNotExist();
      TestServer.await(supervisor(server).deployer.saver().saveAll());
      assertThat(file).exists();
    }
  }

  private static ModelSupervisor supervisor(TestServer server) {
    return (ModelSupervisor) server.server().repository();
  }

  /** Returns what ends windows from now on only when the test says so. */
  private static InstanceScaling scaling(TestServer server) {
    InstanceScaling scaling = supervisor(server).deployer.scaling();
    scaling.close();
    return scaling;
  }

  private static ConcurrentLinkedQueue<JsonObject> steps(TestServer server) {
    ConcurrentLinkedQueue<JsonObject> steps = new ConcurrentLinkedQueue<>();
    server
        .vertx()
        .eventBus()
        .<JsonObject>consumer(
            "conveyor.events",
            message -> {
              if (message.body().getString("event").equals("instances_scaled")) {
                steps.add(message.body());
              }
            });
    return steps;
  }

  /** Sends at once what takes 20 ms each, so that most of it waits for longer than that. */
  private static void slowRequests(HttpCalls http) throws Exception {
    List<CompletableFuture<Answer>> answers = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      JsonObject slow = Requests.row(Poison.SLEEP.mark(), 20, 0, 0);
      answers.add(http.inferAsync("elastic", slow, new byte[0]));
    }
    for (CompletableFuture<Answer> answer : answers) {
      assertThat(answer.get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
    }
  }

  private static void awaitInstances(TestServer server, int wanted) {
    server.awaitScheduler(now -> now.models().get(0).instances() == wanted);
  }

  private static String scrape(TestServer server) {
    return new HttpCalls(server.server().metricsPort()).get("/metrics").text();
  }

  private static JsonObject cores(int cores) {
    JsonObject cpu = new JsonObject().put("cores", cores);
    return new JsonObject().put("devices", new JsonObject().put("cpu", cpu));
  }
}
