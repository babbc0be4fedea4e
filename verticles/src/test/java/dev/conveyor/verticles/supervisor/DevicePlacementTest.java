package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.verticles.gpu.GpuServerCase;
import dev.conveyor.verticles.gpu.SimulatedGpus;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Models that move between two simulated GPUs. The test ends the windows: what comes in a very
 * short one is a load that no device could carry.
 */
final class DevicePlacementTest extends GpuServerCase {

  private static final long SECOND = 1_000_000_000L;
  private static final int OUT_OF_MEMORY = 2;
  private static final int LAUNCH_FAILURE = 719;

  private long nowNs;

  DevicePlacementTest() {
    super(2);
  }

  private void model(String name) {
    model(name, new JsonObject());
  }

  private void model(String name, JsonObject conveyor) {
    SimulatedGpus.model(models, name, new JsonObject().put("kind", "KIND_AUTO"), conveyor);
  }

  /** Adds a model whose engines pass through a gate of its name as they are made. */
  private void gated(String name, int count) {
    JsonObject auto = new JsonObject().put("kind", "KIND_AUTO").put("count", count);
    SimulatedGpus.gated(models, name, auto);
  }

  /** Starts a server whose GPUs have so much memory for models; 0 for what there is. */
  private TestServer start(long budgetBytes) {
    return start(budgetBytes, new JsonObject());
  }

  private TestServer start(long budgetBytes, JsonObject limits) {
    JsonObject gpu =
        new JsonObject().put("placement", "planned").put("memory_budget_bytes", budgetBytes);
    TestServer server =
        TestServer.start(
            models,
            new JsonObject()
                .put("limits", limits)
                .put("devices", new JsonObject().put("gpu", gpu)));
    placement(server).close();
    return server;
  }

  private static DevicePlacement placement(TestServer server) {
    DevicePlacement placement =
        ((ModelSupervisor) server.server().repository()).deployer.placement();
    assertThat(placement).isNotNull();
    return placement;
  }

  private Future<Void> look(TestServer server, long afterNs) {
    nowNs += afterNs;
    return placement(server).look(nowNs);
  }

  /** Has more come for a model in a millisecond than a device could carry. */
  private void burst(TestServer server, String model) throws Exception {
    TestServer.await(look(server, SECOND));
    List<CompletableFuture<Answer>> answers = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      answers.add(server.http().inferAsync(model, SimulatedGpus.request(i), new byte[0]));
    }
    for (CompletableFuture<Answer> answer : answers) {
      assertThat(answer.get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
    }
    TestServer.await(look(server, SECOND / 1000));
  }

  /** An hour without requests, and a model whose first ones come afterwards. */
  private void forget(TestServer server, String model) {
    String control = "/v2/repository/models/" + model;
    assertThat(server.http().post(control + "/unload", "{}").status()).isEqualTo(200);
    TestServer.await(look(server, 3600 * SECOND));
    assertThat(server.http().post(control + "/load", "{}").status()).isEqualTo(200);
  }

  private void looks(TestServer server, int count) {
    for (int i = 0; i < count; i++) {
      TestServer.await(look(server, 5 * SECOND));
    }
  }

  /**
   * Looks until that holds. How many looks it takes depends on what batches and loads cost on this
   * machine; the load of the burst is still too much after five minutes.
   */
  private void looksUntil(TestServer server, BooleanSupplier holds) {
    for (int i = 0; i < 60 && !holds.getAsBoolean(); i++) {
      looks(server, 1);
    }
    assertThat(holds.getAsBoolean()).as("after so many looks: " + decisions(server)).isTrue();
  }

  private static Set<String> devices(TestServer server, String model) {
    Set<String> devices = new TreeSet<>();
    JsonArray lines =
        server.http().get("/v2/models/" + model + "/instances").json().getJsonArray("instances");
    for (int i = 0; i < lines.size(); i++) {
      devices.add(lines.getJsonObject(i).getString("device"));
    }
    return devices;
  }

  private static List<String> decisions(TestServer server) {
    JsonArray told =
        server.http().get("/v2/scheduler/decisions?kind=PLACE").json().getJsonArray("decisions");
    List<String> reasons = new ArrayList<>();
    for (int i = told.size() - 1; i >= 0; i--) {
      JsonObject each = told.getJsonObject(i);
      reasons.add(each.getString("model") + " " + each.getString("reason"));
    }
    return reasons;
  }

  private static MemoryBudget ledger(TestServer server, int gpu) {
    return server.server().gpus().all().get(gpu).budget();
  }

  private void assertLedgersTrue(TestServer server) {
    for (int gpu = 0; gpu < 2; gpu++) {
      assertThat(ledger(server, gpu).reservedBytes()).isEqualTo(gpus.takenBytes(gpu));
    }
  }

  @Test
  void shouldLoadAModelOntoTheSecondGpuWhenItsLoadAsksForIt() throws Exception {
    model("a");
    try (TestServer server = start(0)) {
      Set<String> first = devices(server, "a");
      assertThat(first).hasSize(1);

      burst(server, "a");
      looksUntil(server, () -> devices(server, "a").size() == 2);

      server.awaitScheduler(now -> now.models().get(0).instances() == 6);
      assertLedgersTrue(server);
      assertThat(ledger(server, 0).holders()).isEqualTo(ledger(server, 1).holders());
      assertThat(decisions(server)).hasSize(1);
      assertThat(decisions(server).get(0))
          .startsWith("a is loaded onto GPU")
          .contains("there is time for ", "of 1.40 times the ", "/s of a/1; with a/1 on GPU");
      JsonArray profiles = server.http().get("/v2/models/a/profile").json().getJsonArray("devices");
      assertThat(profiles).as("what is known of one GPU is known of the other").hasSize(2);
      assertThat(profiles.getJsonObject(1).getString("seed")).isEqualTo("warm_up");
      assertThat(new HttpCalls(server.server().metricsPort()).get("/metrics").text())
          .contains("conveyor_placement_steps_total{model=\"a\",version=\"1\",device=\"GPU");

      assertThat(server.http().post("/v2/repository/models/a/load", "{}").status()).isEqualTo(200);
      assertThat(devices(server, "a")).as("loaded anew where it was").hasSize(2);
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldHaveACopyLeaveForAnotherModelWhereMemoryIsShort() throws Exception {
    for (String name : List.of("a", "b", "c")) {
      model(name);
    }
    try (TestServer server = start(copyBytes() * 5 / 2)) {
      List<String> sharing =
          Stream.of("a", "b", "c")
              .filter(name -> others(name).anyMatch(o -> together(server, name, o)))
              .toList();
      assertThat(sharing).as("two of three on two GPUs").hasSize(2);
      String shared = sharing.get(0);
      String third = sharing.get(1);

      burst(server, shared);
      looksUntil(server, () -> devices(server, shared).size() == 2);
      forget(server, third);
      burst(server, third);
      looksUntil(server, () -> devices(server, third).size() == 2);

      assertThat(devices(server, shared)).hasSize(1);
      assertThat(decisions(server).get(1)).startsWith(shared + " leaves GPU");
      assertThat(decisions(server).get(2)).startsWith(third + " is loaded onto GPU");
      assertLedgersTrue(server);
      for (String name : List.of("a", "b", "c")) {
        Answer answer = server.http().infer(name, SimulatedGpus.request(1));
        assertThat(answer.status()).as(answer.text()).isEqualTo(200);
      }
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  private static Stream<String> others(String name) {
    return Stream.of("a", "b", "c").filter(other -> !other.equals(name));
  }

  private static boolean together(TestServer server, String one, String other) {
    return devices(server, one).equals(devices(server, other));
  }

  /** Returns what one model takes on one GPU. */
  private long copyBytes() {
    try (TestServer server = start(0)) {
      return Math.min(ledger(server, 0).reservedBytes(), ledger(server, 1).reservedBytes());
    }
  }

  @Test
  void shouldChangeNothingWhenALoadFailsAndWaitAMinute() throws Exception {
    model("a");
    try (TestServer server = start(0)) {
      Set<String> first = devices(server, "a");
      simulator.inject("cudaMallocFromPoolAsync", 0, OUT_OF_MEMORY, Fault.RETURNED);

      burst(server, "a");
      looksUntil(server, () -> decisions(server).size() == 1);
      looks(server, 11);

      assertThat(decisions(server)).hasSize(1);
      assertThat(decisions(server).get(0)).startsWith("a cannot be loaded onto GPU");
      assertThat(devices(server, "a")).isEqualTo(first);
      assertLedgersTrue(server);
      burst(server, "a");
      looksUntil(server, () -> devices(server, "a").size() == 2);
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldCloseTheCopyThatALateThreadUsedAndNotTheOneThatCameAfterIt() throws Exception {
    gated("a", 2);
    try (TestServer server = start(0, new JsonObject().put("load_timeout_ms", 5000))) {
      burst(server, "a");
      try (Gate start = lateStart(server)) {
        looks(server, 12);
        burst(server, "a");
        looksUntil(server, () -> devices(server, "a").size() == 2);
        start.open();
      }
      TestServer.awaitThat(() -> ledger(server, 0).holders().equals(ledger(server, 1).holders()));
      burst(server, "a");
      assertLedgersTrue(server);
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  /** Has a move fail since the second instance of the copy does not come up; its thread stays. */
  private Gate lateStart(TestServer server) throws Exception {
    Gate start;
    CompletableFuture<Void> moved;
    try (Gate load = Gate.hold("a", 1)) {
      moved =
          CompletableFuture.runAsync(() -> looksUntil(server, () -> decisions(server).size() == 1));
      load.awaitArrival();
      start = Gate.hold("a", 1);
    }
    start.awaitArrival();
    moved.get(60, TimeUnit.SECONDS);
    assertThat(decisions(server).get(0)).contains("did not start within 5000 ms");
    return start;
  }

  @Test
  void shouldLeaveNothingBehindWhenAModelIsUnloadedDuringAMove() throws Exception {
    gated("a", 1);
    try (TestServer server = start(0)) {
      burst(server, "a");
      CompletableFuture<Void> moving;
      Future<Void> unloading;
      try (Gate gate = Gate.hold("a", 1)) {
        moving = CompletableFuture.runAsync(() -> looks(server, 60));
        gate.awaitArrival();
        unloading = server.server().repository().unload("a", false);
        TestServer.await(server.server().repository().index()); // It has its turn by then.
        assertThat(moving).as("it is on its way").isNotDone();
      }
      moving.get(60, TimeUnit.SECONDS);

      TestServer.await(unloading);
      assertThat(server.http().infer("a", SimulatedGpus.request(1)).status()).isEqualTo(503);
      assertThat(ledger(server, 0).holders()).isEmpty();
      assertThat(ledger(server, 1).holders()).isEmpty();
      assertLedgersTrue(server);
      looks(server, 2);
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldServeOnWhenTheGpuIsLostToWhichAModelMoves() throws Exception {
    model("a");
    try (TestServer server = start(0)) {
      Set<String> first = devices(server, "a");
      burst(server, "a");
      simulator.inject("cudaSimLaunch", 0, LAUNCH_FAILURE, Fault.RUNNING);
      looksUntil(server, () -> decisions(server).size() == 1);

      assertThat(devices(server, "a")).isEqualTo(first);
      assertThat(server.http().infer("a", SimulatedGpus.request(1)).status()).isEqualTo(200);
      assertThat(server.server().gpus().all().stream().filter(gpu -> gpu.lost() != null))
          .hasSize(1);
      server.assertIdle();
    }
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldKeepAModelOnTheGpusThatItNames() throws Exception {
    JsonObject first = new JsonObject().put("kind", "KIND_GPU").put("gpus", new JsonArray().add(0));
    SimulatedGpus.model(models, "a", first, new JsonObject());
    try (TestServer server = start(0)) {
      burst(server, "a");
      looks(server, 30);
      assertThat(devices(server, "a")).containsExactly("GPU0");
      assertThat(decisions(server)).isEmpty();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldKeepAModelOnOneGpuThatMayHaveOneInstance() throws Exception {
    model("a", new JsonObject().put("max_count", 1));
    try (TestServer server = start(0)) {
      Set<String> first = devices(server, "a");
      assertThat(first).hasSize(1);
      burst(server, "a");
      looks(server, 30);
      assertThat(devices(server, "a")).isEqualTo(first);
      assertThat(decisions(server)).isEmpty();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }
}
