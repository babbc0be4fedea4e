package dev.conveyor.verticles.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A whole server on a simulated GPU. */
final class GpuServingTest extends GpuServerCase {

  private static final int WIDTH = 16;
  private static final int REQUESTS = 100;
  private static final long PATIENCE_NS = 60_000_000_000L;

  GpuServingTest() {
    super(1, "jitter_percent=100 device_bytes=67108864");
  }

  private void model(String name, String kind, boolean onGpu) {
    model(name, kind, onGpu, new JsonObject());
  }

  private void model(String name, String kind, boolean onGpu, JsonObject more) {
    JsonObject config =
        more.copy()
            .put("max_batch_size", 8)
            .put("instance_group", new JsonArray().add(new JsonObject().put("kind", kind)))
            .put("dynamic_batching", new JsonObject());
    if (onGpu) {
      config.put(
          "parameters",
          new JsonObject()
              .put(KernelBackend.PARAMETER, new JsonObject().put("string_value", "on")));
    }
    models.identity(name, DataType.INT32, "N", WIDTH).config(name, config.encode());
  }

  private static int[] words(int seed) {
    int[] words = new int[WIDTH];
    for (int i = 0; i < WIDTH; i++) {
      words[i] = 1000 * seed + i;
    }
    return words;
  }

  private static JsonObject head(int[] words) {
    JsonArray data = new JsonArray();
    for (int word : words) {
      data.add(word);
    }
    return Requests.of(
        Requests.input("INPUT0", 1, WIDTH).put("datatype", "INT32").put("data", data));
  }

  private static int[] data(Answer answer) {
    return answer.data().stream().mapToInt(word -> ((Number) word).intValue()).toArray();
  }

  private static int[] fromGpu(int[] words) {
    return TestKernel.expected(words, WIDTH);
  }

  @Test
  void shouldTryAModelInAProcessBeforeItIsLoadedOntoTheGpu() {
    model(
        "kernel",
        "KIND_GPU",
        true,
        new JsonObject().put("conveyor", new JsonObject().put("verify", "process")));
    models.file("kernel", "1/model.onnx", "nothing");
    try (TestServer server = TestServer.start(models)) {
      Answer refused = server.http().post("/v2/repository/models/kernel/load", "");
      assertThat(refused.status()).isEqualTo(400);
      assertThat(refused.error()).contains("tried in a process of its own");
      assertThat(server.server().gpus().all().get(0).budget().reservedBytes()).isZero();
    }
  }

  @Test
  void shouldServeFromTheGpuAndGiveItsMemoryBack() {
    model("kernel", "KIND_GPU", true);
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      assertThat(simulator.figure(0, Figure.TAKEN_BYTES)).isPositive();
      assertThat(server.server().gpus().all().get(0).budget().holders().keySet())
          .containsExactlyInAnyOrder("kernel/1/weights", "kernel/1/slabs");
      assertThat(server.server().gpus().all().get(0).budget().reservedBytes())
          .isEqualTo(simulator.figure(0, Figure.TAKEN_BYTES));

      List<CompletableFuture<Answer>> answers = new ArrayList<>();
      for (int i = 0; i < REQUESTS; i++) {
        answers.add(http.inferAsync("kernel", head(words(i)), new byte[0]));
      }
      for (int i = 0; i < REQUESTS; i++) {
        Answer answer = answers.get(i).join();
        assertThat(answer.status()).as(answer.text()).isEqualTo(200);
        assertThat(data(answer)).isEqualTo(fromGpu(words(i)));
      }
      server.assertIdle();
      HttpCalls metrics = new HttpCalls(server.server().metricsPort());
      Answer told =
          retry(() -> metrics.get("/metrics"), answer -> answer.text().contains("gpu_uuid"));
      assertThat(told.text())
          .contains("nv_gpu_memory_total_bytes{gpu_uuid=\"GPU-10111213-")
          .contains("nv_gpu_utilization{gpu_uuid=")
          .contains("nv_gpu_power_usage{gpu_uuid=")
          .contains("device=\"GPU0\"");
      assertThat(http.get("/v2/memory").text()).contains("\"GPU0\"");

      assertThat(http.post("/v2/repository/models/kernel/unload", "{}").status()).isEqualTo(200);
      assertThat(simulator.figure(0, Figure.TAKEN_BYTES)).isZero();
      assertThat(server.server().gpus().all().get(0).budget().reservedBytes()).isZero();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldGoOnWhenTheDeviceIsLost() {
    model("either", "KIND_AUTO", true);
    model("insists", "KIND_GPU", true);
    int[] words = words(7);
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      assertThat(data(http.infer("either", head(words)))).isEqualTo(fromGpu(words));
      assertThat(data(http.infer("insists", head(words)))).isEqualTo(fromGpu(words));

      simulator.inject("cudaSimLaunch", 0, 719, Fault.RUNNING);
      Answer hit = http.infer("either", head(words));

      assertThat(hit.status()).as(hit.text()).isIn(200, 503);
      Answer onCpu = retry(() -> http.infer("either", head(words)), a -> a.status() == 200);
      assertThat(data(onCpu)).isEqualTo(words);
      Answer refused = retry(() -> http.infer("insists", head(words)), GpuServingTest::saysLost);
      assertThat(refused.status()).isEqualTo(503);
      assertThat(http.get("/v2/health/live").status()).isEqualTo(200);
      assertThat(server.server().gpus().all().get(0).lost()).contains("719");
      HttpCalls metrics = new HttpCalls(server.server().metricsPort());
      assertThat(metrics.get("/metrics").text())
          .contains("decision=\"device_lost\",reason=\"to_server\"}")
          .containsPattern("decision=\"instance_quarantined\",reason=\"device_lost\"}");
    }
    assertThat(simulator.violations()).isEmpty();
  }

  private static boolean saysLost(Answer answer) {
    return answer.status() != 200 && answer.text().contains("GPU0 is lost to this process");
  }

  private static Answer retry(Supplier<Answer> call, Predicate<Answer> enough) {
    long startNs = System.nanoTime();
    Answer answer = call.get();
    while (!enough.test(answer)) {
      assertThat(System.nanoTime() - startNs).as("still " + answer.text()).isLessThan(PATIENCE_NS);
      answer = call.get();
    }
    return answer;
  }

  @Test
  void shouldGiveStreamsThePriorityThatTheModelHas() {
    JsonObject low = new JsonObject().put("priority", "PRIORITY_MIN");
    model("patient", "KIND_GPU", true, new JsonObject().put("optimization", low));
    try (TestServer server = TestServer.start(models)) {
      assertThat(simulator.figure(0, Figure.URGENT_STREAMS)).isZero();
      JsonObject high = new JsonObject().put("priority", "PRIORITY_MAX");
      model("urgent", "KIND_GPU", true, new JsonObject().put("optimization", high));

      server.http().post("/v2/repository/models/urgent/load", "{}");

      assertThat(data(server.http().infer("urgent", head(words(1))))).isEqualTo(fromGpu(words(1)));
      assertThat(simulator.figure(0, Figure.URGENT_STREAMS)).isEqualTo(3);
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldTakeTheCpuWhereNoBackendRunsTheModelOnTheGpu() {
    model("onnx_only", "KIND_AUTO", false);
    int[] words = words(3);
    try (TestServer server = TestServer.start(models)) {
      assertThat(data(server.http().infer("onnx_only", head(words)))).isEqualTo(words);
      assertThat(simulator.figure(0, Figure.TAKEN_BYTES)).isZero();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  /** For the weights; and for these, but not for the slabs of an instance. */
  @ParameterizedTest
  @ValueSource(ints = {1 << 20, 5 << 20})
  void shouldTakeTheCpuWhenTheGpuHasNoRoom(int budgetBytes) {
    model("large", "KIND_AUTO", true);
    JsonObject small =
        new JsonObject()
            .put(
                "devices",
                new JsonObject()
                    .put("gpu", new JsonObject().put("memory_budget_bytes", budgetBytes)));
    int[] words = words(3);
    try (TestServer server = TestServer.start(models, small)) {
      assertThat(data(server.http().infer("large", head(words)))).isEqualTo(words);
      assertThat(server.server().gpus().all().get(0).budget().reservedBytes()).isZero();
      assertThat(simulator.figure(0, Figure.TAKEN_BYTES)).isZero();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldSayThatTheGpuThatIsAskedForIsNotThere() {
    models
        .identity("second", DataType.INT32, "N", WIDTH)
        .config(
            "second",
            """
            {"instance_group": [{"kind": "KIND_GPU", "gpus": [1]}],
             "parameters": {"test_kernel": {"string_value": "on"}}}\
            """);
    try (TestServer server = TestServer.start(models)) {
      Answer load = server.http().post("/v2/repository/models/second/load", "{}");

      assertThat(load.status()).isEqualTo(400);
      assertThat(load.error()).contains("there is no GPU 1, only [0]").contains("KIND_AUTO");
    }
  }
}
