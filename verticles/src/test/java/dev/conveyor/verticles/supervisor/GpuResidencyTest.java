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

/** Models that take turns in the memory of one simulated GPU, which has room for one. */
final class GpuResidencyTest extends GpuServerCase {

  GpuResidencyTest() {
    super(1);
  }

  @Test
  void shouldEvictAModelForAnotherOneThatNeedsItsGpu() {
    JsonObject gpu = new JsonObject().put("kind", "KIND_GPU");
    JsonObject onDemand = new JsonObject().put("residency", "on_demand");
    for (String name : List.of("a", "b")) {
      SimulatedGpus.model(models, name, gpu, onDemand);
    }
    long one;
    try (TestServer server = TestServer.start(models)) {
      infer(server, "a");
      one = ledger(server).reservedBytes();
      infer(server, "b");
      assertThat(ledger(server).reservedBytes()).as("room for both").isEqualTo(2 * one);
    }
    JsonObject tight = new JsonObject().put("memory_budget_bytes", one * 3 / 2);
    JsonObject settings = new JsonObject().put("devices", new JsonObject().put("gpu", tight));
    try (TestServer server = TestServer.start(models, settings)) {
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

  private static void infer(TestServer server, String model) {
    Answer answer = server.http().infer(model, SimulatedGpus.request(1));
    assertThat(answer.status()).as(answer.text()).isEqualTo(200);
  }

  private static MemoryBudget ledger(TestServer server) {
    return server.server().gpus().all().get(0).budget();
  }
}
