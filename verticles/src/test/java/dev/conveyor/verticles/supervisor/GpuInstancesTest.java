package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.verticles.gpu.GpuServerCase;
import dev.conveyor.verticles.gpu.SimulatedGpus;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The bounds of the number of instances on two simulated GPUs. */
final class GpuInstancesTest extends GpuServerCase {

  private static final long SECOND = 1_000_000_000L;
  private static final JsonObject GPU = new JsonObject().put("kind", "KIND_GPU");

  GpuInstancesTest() {
    super(2);
  }

  @Test
  void shouldAddAnInstanceOnOneGpuWhileRequestsWaitAndTakeItBackAfterwards() throws Exception {
    SimulatedGpus.model(models, "elastic", GPU, new JsonObject().put("max_count", 3));
    try (TestServer server = TestServer.start(models)) {
      InstanceScaling scaling = ((ModelSupervisor) server.server().repository()).deployer.scaling();
      scaling.close();
      long before = slabs(server, 0) + slabs(server, 1);
      TestServer.await(scaling.look(0));
      awaitInstances(server, 6);

      for (int window = 1; window <= 2; window++) {
        waitingRequests(server);
        TestServer.await(scaling.look(5 * SECOND * window));
      }
      awaitInstances(server, 9);
      assertThat(slabs(server, 0) + slabs(server, 1)).isEqualTo(before / 2 * 3);
      JsonObject board = server.http().get("/v2/models/elastic/instances").json();
      assertThat(board.getJsonArray("instances")).hasSize(9);
      assertThat(board.encode()).contains("\"device\":\"GPU0\"").contains("\"device\":\"GPU1\"");

      for (int window = 3; window <= 16; window++) {
        TestServer.await(scaling.look(5 * SECOND * window));
      }
      awaitInstances(server, 6);
      assertThat(slabs(server, 0)).isEqualTo(before / 2);
      assertThat(slabs(server, 1)).isEqualTo(before / 2);
      assertThat(server.http().infer("elastic", SimulatedGpus.request(1)).status()).isEqualTo(200);
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldTakeNoMoreGpusThanItMayHaveInstances() {
    SimulatedGpus.model(models, "one", GPU, new JsonObject().put("max_count", 1));
    try (TestServer server = TestServer.start(models)) {
      awaitInstances(server, 3);
      assertThat(ledger(server, 0).reservedBytes()).isPositive().isEqualTo(gpus.takenBytes(0));
      assertThat(ledger(server, 1).reservedBytes()).isZero();
      assertThat(server.http().infer("one", SimulatedGpus.request(1)).status()).isEqualTo(200);
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldTakeTheGpuThatIsNamedByItsUuid() {
    Gpu second = Gpus.find(0).usable().get(1);
    JsonArray named = new JsonArray().add(second.uuid());
    JsonObject group = new JsonObject().put("kind", "KIND_GPU").put("gpu_uuids", named);
    SimulatedGpus.model(models, "there", group, new JsonObject());
    try (TestServer server = TestServer.start(models)) {
      assertThat(ledger(server, 0).reservedBytes()).isZero();
      assertThat(ledger(server, 1).reservedBytes()).isPositive();
      assertThat(server.http().infer("there", SimulatedGpus.request(1)).status()).isEqualTo(200);
      assertThat(server.http().get("/v2/models/there/config").json().getJsonArray("instance_group"))
          .extracting(each -> ((JsonObject) each).getJsonArray("gpu_uuids"))
          .containsExactly(named);
    }
  }

  @Test
  void shouldBeginWithTheFewestThatItMayHave() {
    JsonObject three = new JsonObject().put("min_count", 3).put("max_count", 4);
    SimulatedGpus.model(models, "three", GPU, three);
    try (TestServer server = TestServer.start(models)) {
      awaitInstances(server, 9);
      assertThat(slabs(server, 0)).isEqualTo(2 * slabs(server, 1));
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldKnowAfterARestartWhatBatchesCostOnGpusOfThatKind() {
    SimulatedGpus.model(models, "known", GPU, new JsonObject());
    for (String seed : List.of("warm_up", "stored")) {
      try (TestServer server = TestServer.start(models)) {
        JsonArray devices =
            server.http().get("/v2/models/known/profile").json().getJsonArray("devices");
        assertThat(devices).hasSize(2);
        for (int d = 0; d < 2; d++) {
          assertThat(devices.getJsonObject(d).getString("device")).isEqualTo("GPU" + d);
          assertThat(devices.getJsonObject(d).getString("seed")).isEqualTo(seed);
        }
      }
    }
  }

  private static void waitingRequests(TestServer server) throws Exception {
    List<CompletableFuture<Answer>> answers = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      answers.add(server.http().inferAsync("elastic", SimulatedGpus.request(i), new byte[0]));
    }
    for (CompletableFuture<Answer> answer : answers) {
      assertThat(answer.get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
    }
  }

  private static void awaitInstances(TestServer server, int wanted) {
    server.awaitScheduler(now -> now.models().get(0).instances() == wanted);
  }

  private static MemoryBudget ledger(TestServer server, int gpu) {
    return server.server().gpus().all().get(gpu).budget();
  }

  private static long slabs(TestServer server, int gpu) {
    return ledger(server, gpu).holders().entrySet().stream()
        .filter(holder -> holder.getKey().endsWith("/slabs"))
        .mapToLong(Map.Entry::getValue)
        .sum();
  }
}
