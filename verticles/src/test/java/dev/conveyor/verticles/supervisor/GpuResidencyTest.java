package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.verticles.gpu.GpuServerCase;
import dev.conveyor.verticles.gpu.SimulatedGpus;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonObject;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Models in the memory of one simulated GPU, which has not room for all. */
final class GpuResidencyTest extends GpuServerCase {

  private static final JsonObject GPU = new JsonObject().put("kind", "KIND_GPU");
  private static final JsonObject ON_DEMAND = new JsonObject().put("residency", "on_demand");

  GpuResidencyTest() {
    super(1);
  }

  @Test
  void shouldEvictAModelForAnotherOneThatNeedsItsGpu() {
    for (String name : List.of("a", "b")) {
      SimulatedGpus.model(models, name, GPU, ON_DEMAND);
    }
    long one;
    try (TestServer server = TestServer.start(models)) {
      infer(server, "a");
      one = ledger(server).reservedBytes();
      infer(server, "b");
      assertThat(ledger(server).reservedBytes()).as("room for both").isEqualTo(2 * one);
    }
    try (TestServer server = TestServer.start(models, budget(one * 3 / 2))) {
      for (String name : List.of("a", "b", "a")) {
        infer(server, name);
        assertThat(ledger(server).holders().keySet()).allMatch(tag -> tag.startsWith(name + "/"));
        assertThat(ledger(server).reservedBytes()).isEqualTo(gpus.takenBytes(0));
      }
      assertThat(server.http().get("/v2/memory").text()).contains("\"evictions\":2");
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldHoldAllVersionsOfAModelToItsLimit() {
    SimulatedGpus.twoVersions(models, "a", GPU, new JsonObject());
    long both;
    try (TestServer server = TestServer.start(models)) {
      both = ledger(server).reservedBytes();
      assertThat(both).isPositive();
    }
    SimulatedGpus.twoVersions(models, "a", GPU, limit(both));
    try (TestServer server = TestServer.start(models)) {
      assertThat(ledger(server).reservedBytes()).isEqualTo(both);
    }
    SimulatedGpus.twoVersions(models, "a", GPU, limit(both - 1));
    try (TestServer server = TestServer.start(models)) {
      assertThat(server.http().post("/v2/repository/index", "").text()).contains("model 'a' on");
      assertThat(ledger(server).holders()).isEmpty();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldEvictAModelForAPinnedOneThatNeedsItsGpu() {
    SimulatedGpus.model(models, "pinned", GPU, new JsonObject());
    SimulatedGpus.model(models, "evictable", GPU, ON_DEMAND);
    long one = bytesOf("pinned");
    try (TestServer server = TestServer.start(models, budget(one * 3 / 2))) {
      assertThat(change(server, "pinned", "unload")).isEqualTo(200);
      infer(server, "evictable");
      assertThat(change(server, "pinned", "load")).isEqualTo(200);
      assertThat(ledger(server).holders().keySet()).allMatch(tag -> tag.startsWith("pinned/"));
      infer(server, "pinned");
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldEvictAModelForAPinnedOneThatIsReloadedWhereItIs() {
    SimulatedGpus.model(
        models, "pinned", new JsonObject().put("kind", "KIND_AUTO"), new JsonObject());
    SimulatedGpus.model(models, "evictable", GPU, ON_DEMAND);
    long one = bytesOf("pinned");
    try (TestServer server = TestServer.start(models, budget(one * 5 / 2))) {
      infer(server, "evictable");
      assertThat(ledger(server).reservedBytes()).isEqualTo(2 * one);
      assertThat(change(server, "pinned", "load")).isEqualTo(200);
      TestServer.awaitThat(() -> ledger(server).reservedBytes() == one);
      assertThat(ledger(server).holders().keySet()).allMatch(tag -> tag.startsWith("pinned/"));
      infer(server, "pinned");
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  /** Returns what a model holds that is loaded at start. */
  private long bytesOf(String model) {
    try (TestServer server = TestServer.start(models)) {
      infer(server, model);
      return ledger(server).reservedBytes();
    }
  }

  private static int change(TestServer server, String model, String how) {
    return server.http().post("/v2/repository/models/" + model + "/" + how, "").status();
  }

  private static JsonObject limit(long bytes) {
    return new JsonObject().put("memory_limit_bytes", bytes);
  }

  private static JsonObject budget(long bytes) {
    JsonObject gpu = new JsonObject().put("memory_budget_bytes", bytes);
    return new JsonObject().put("devices", new JsonObject().put("gpu", gpu));
  }

  private static void infer(TestServer server, String model) {
    Answer answer = server.http().infer(model, SimulatedGpus.request(1));
    assertThat(answer.status()).as(answer.text()).isEqualTo(200);
  }

  private static MemoryBudget ledger(TestServer server) {
    return server.server().gpus().all().get(0).budget();
  }
}
