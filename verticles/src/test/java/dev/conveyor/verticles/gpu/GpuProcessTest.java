package dev.conveyor.verticles.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.device.GpuPlace;
import dev.conveyor.models.device.LoadMeter;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A whole server whose models on a simulated GPU have processes of their own, which come to harm.
 */
final class GpuProcessTest extends GpuServerCase {

  /** All processes here are to be workers that serve. */
  private static final JsonObject NO_SPARES =
      new JsonObject().put("isolation", new JsonObject().put("spare_workers", 0));

  private static final int REQUESTS = 60;
  private static final int LAUNCH_FAILURE = 719;
  private static final int OUT_OF_MEMORY = 2;
  private static final long PATIENCE_NS = 120_000_000_000L;
  private static final String MACHINE =
      "real_time=1 copy_ns=5000 jitter_percent=100 device_bytes=67108864";

  GpuProcessTest() {
    super(1);
  }

  @BeforeEach
  void begin() {
    simulator.offer(MACHINE + " devices=1");
  }

  @AfterEach
  void end() {
    if (simulator != null) {
      simulator.withdraw();
    }
  }

  private void model(String name, String kind, String isolation) {
    model(name, kind, isolation, 1);
  }

  private void model(String name, String kind, String isolation, int count) {
    JsonObject group =
        new JsonObject().put("kind", kind).put("count", count).put("isolation", isolation);
    SimulatedGpus.model(models, name, group, new JsonObject());
  }

  private static int[] words(int seed) {
    return IntStream.range(0, SimulatedGpus.WIDTH).map(i -> 1000 * seed + i).toArray();
  }

  private static JsonObject head(int seed) {
    return SimulatedGpus.request(seed);
  }

  private static int[] data(Answer answer) {
    assertThat(answer.status()).as(answer.text()).isEqualTo(200);
    return answer.data().stream().mapToInt(word -> ((Number) word).intValue()).toArray();
  }

  private static int[] fromGpu(int[] words) {
    return TestKernel.expected(words, words.length);
  }

  private static void ask(HttpCalls http, String model, int seed) {
    assertThat(data(http.infer(model, head(seed)))).isEqualTo(fromGpu(words(seed)));
  }

  /** Returns the processes of workers, as the list of processes shows whose they are. */
  private static List<Long> workers() {
    return ProcessHandle.current()
        .children()
        .filter(ProcessHandle::isAlive)
        .map(ProcessHandle::pid)
        .sorted()
        .collect(Collectors.toList());
  }

  private static void await(String what, BooleanSupplier condition) {
    long startNs = System.nanoTime();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - startNs).as("still not: " + what).isLessThan(PATIENCE_NS);
      Thread.onSpinWait();
    }
  }

  private static GpuPlace gpu(TestServer server) {
    return server.server().gpus().all().get(0);
  }

  @Test
  void shouldMeasureALoadInAProcessOnlyWhenNobodyElseGivesMemoryBack() {
    JsonObject group = new JsonObject().put("kind", "KIND_GPU").put("isolation", "process");
    SimulatedGpus.measured(models, "apart", group);
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      String control = "/v2/repository/models/apart/";
      assertThat(http.post(control + "unload", "{}").status()).isEqualTo(200);

      LoadMeter.Turn givingBack = LoadMeter.unmeasured(0);
      CompletableFuture<Answer> load = new CompletableFuture<>();
      try {
        new Thread(() -> load.complete(http.post(control + "load", "{}"))).start();
        await("the worker measures", () -> load.isDone() || isWaitingToMeasure());
        assertThat(load).isNotDone();
      } finally {
        givingBack.end();
      }
      assertThat(load.join().status()).isEqualTo(200);
      ask(http, "apart", 1);
      assertThat(gpu(server).budget().holders()).containsEntry("apart/1/weights", 4L << 20);
    }
  }

  private static boolean isWaitingToMeasure() {
    return Thread.getAllStackTraces().entrySet().stream()
        .filter(thread -> thread.getKey().getState() == Thread.State.TIMED_WAITING)
        .flatMap(thread -> Arrays.stream(thread.getValue()))
        .anyMatch(
            frame ->
                frame.getClassName().equals(LoadMeter.class.getName())
                    && frame.getMethodName().equals("measuring"));
  }

  @Test
  void shouldServeThreeBatchesAtATimeFromOneProcessWhoseMemoryIsInTheLedger() {
    model("apart", "KIND_GPU", "process");
    try (TestServer server = TestServer.start(models, NO_SPARES)) {
      HttpCalls http = server.http();
      assertThat(workers()).hasSize(1);
      Map<String, Long> held = gpu(server).budget().holders();
      assertThat(held.keySet()).containsExactlyInAnyOrder("apart/1/weights", "apart/1/slabs");
      assertThat(held.get("apart/1/weights")).isEqualTo(4L << 20);
      assertThat(simulator.figure(0, Figure.TAKEN_BYTES)).as("of this process").isZero();
      JsonObject pinned = http.get("/v2/memory").json().getJsonObject("pinned");
      assertThat(pinned.getJsonObject("by_owner").fieldNames())
          .contains("apart/1/worker", "apart/1/slabs");

      List<CompletableFuture<Answer>> answers = new ArrayList<>();
      for (int i = 0; i < REQUESTS; i++) {
        answers.add(http.inferAsync("apart", head(i), new byte[0]));
      }
      for (int i = 0; i < REQUESTS; i++) {
        assertThat(data(answers.get(i).join())).isEqualTo(fromGpu(words(i)));
      }
      server.assertIdle();

      assertThat(http.post("/v2/repository/models/apart/unload", "{}").status()).isEqualTo(200);
      assertThat(gpu(server).budget().reservedBytes()).isZero();
      assertThat(server.server().budget().reservedBytes()).isZero();
      assertThat(workers()).isEmpty();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  /** An error that loses the device to its process, in a call or while something runs. */
  @ParameterizedTest
  @CsvSource({"cudaSimLaunch,RUNNING", "cudaMemcpyAsync,STICKY", "cudaEventRecord,STICKY"})
  void shouldReplaceAProcessThatHasLostTheDeviceAndLeaveEverythingElseAlone(
      String call, Fault fault) {
    model("apart", "KIND_GPU", "process", 2);
    model("second", "KIND_GPU", "process");
    model("within", "KIND_GPU", "none");
    try (TestServer server = TestServer.start(models, NO_SPARES)) {
      HttpCalls http = server.http();
      ask(http, "second", 1);
      ask(http, "within", 1);
      ask(http, "apart", 1);
      List<Long> before = workers();
      assertThat(before).hasSize(3);

      simulator.injectElsewhere(call, 0, LAUNCH_FAILURE, fault);
      int seed = 2;
      while (!simulator.isInjectedElsewhere()) {
        ask(http, "apart", seed++); // The one that is hit is tried again in the other process.
      }
      for (int i = 0; i < 20; i++) {
        ask(http, "apart", seed++);
        ask(http, "second", seed++);
        ask(http, "within", seed++);
      }

      await("replaced", () -> workers().size() == 3 && !workers().equals(before));
      assertThat(workers()).filteredOn(before::contains).hasSize(2);
      assertThat(gpu(server).lost()).isNull();
      assertThat(gpu(server).budget().holders().keySet())
          .containsExactlyInAnyOrder(
              "apart/1/weights",
              "apart/1/slabs",
              "second/1/weights",
              "second/1/slabs",
              "within/1/weights",
              "within/1/slabs");
      assertThat(new HttpCalls(server.server().metricsPort()).get("/metrics").text())
          .contains("reason=\"device_lost\"");
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldCutABatchThatNeverEndsWithItsProcess() {
    model("apart", "KIND_GPU", "process");
    model("within", "KIND_GPU", "none");
    try (TestServer server = TestServer.startImpatient(models)) {
      HttpCalls http = server.http();
      for (int i = 0; i < REQUESTS; i++) {
        ask(http, "apart", i); // So that it is known how long they take.
      }
      List<Long> before = workers();

      simulator.injectElsewhere("cudaSimLaunch", 0, 0, Fault.HANGING);
      CompletableFuture<Answer> hit = http.inferAsync("apart", head(7), new byte[0]);
      ask(http, "within", 1);
      Answer answer = hit.join();

      assertThat(answer.status()).as(answer.text()).isIn(200, 503);
      await("another process", () -> !workers().isEmpty() && !workers().equals(before));
      await("it serves", () -> http.infer("apart", head(8)).status() == 200);
      ask(http, "apart", 9);
      ask(http, "within", 2);
      assertThat(gpu(server).lost()).isNull();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldTellADeviceThatIsFullFromInputsThatAreBadAndKeepTheProcess() {
    model("apart", "KIND_GPU", "process");
    try (TestServer server = TestServer.start(models, NO_SPARES)) {
      HttpCalls http = server.http();
      ask(http, "apart", 1);
      List<Long> before = workers();

      simulator.injectElsewhere("cudaSimLaunch", 0, OUT_OF_MEMORY, Fault.RETURNED);
      List<Answer> answers = new ArrayList<>();
      while (!simulator.isInjectedElsewhere()) {
        answers.add(http.infer("apart", head(2)));
      }

      assertThat(answers).allSatisfy(a -> assertThat(a.status()).as(a.text()).isIn(200, 503));
      ask(http, "apart", 3);
      assertThat(workers()).isEqualTo(before);
      assertThat(new HttpCalls(server.server().metricsPort()).get("/metrics").text())
          .doesNotContain("decision=\"request_blamed\"");
    }
  }

  @Test
  void shouldGiveTheDeviceUpWhenAReplacementCannotUseItEither() {
    model("apart", "KIND_AUTO", "process");
    model("within", "KIND_AUTO", "none");
    try (TestServer server = TestServer.start(models, NO_SPARES)) {
      HttpCalls http = server.http();
      ask(http, "apart", 1);
      ask(http, "within", 1);

      simulator.offer(MACHINE + " devices=0");
      simulator.injectElsewhere("cudaSimLaunch", 0, LAUNCH_FAILURE, Fault.RUNNING);
      Answer hit = http.infer("apart", head(2));
      assertThat(hit.status()).as(hit.text()).isIn(200, 503);

      await("given up", () -> gpu(server).givenUp() != null);
      assertThat(gpu(server).givenUp()).contains("cannot use its GPU");
      await("on the CPU", () -> http.infer("apart", head(3)).status() == 200);
      assertThat(data(http.infer("apart", head(3)))).isEqualTo(words(3));
      await("returned", () -> !gpu(server).budget().holders().containsKey("apart/1/slabs"));
      ask(http, "within", 2);
      assertThat(gpu(server).lost()).as("to this process").isNull();
      assertThat(gpu(server).budget().holders().keySet())
          .containsExactlyInAnyOrder("within/1/weights", "within/1/slabs");
    }
  }

  @Test
  void shouldSayThatTheDeviceIsLostWhenThatShowsAsMemoryIsPinned() {
    try (TestServer server = TestServer.start(models, NO_SPARES)) {
      model("apart", "KIND_GPU", "process");
      simulator.injectElsewhere("cudaHostRegister", 0, LAUNCH_FAILURE, Fault.STICKY);

      Answer refused = server.http().post("/v2/repository/models/apart/load", "{}");

      assertThat(refused.text()).contains("has lost its GPU: cudaHostRegister");
      assertThat(gpu(server).lost()).isNull();
    }
  }

  @Test
  void shouldTakeTheCpuWhenTheFirstProcessCannotUseTheDeviceAndKeepIt() {
    simulator.offer(MACHINE + " devices=0");
    model("apart", "KIND_AUTO", "process");
    model("within", "KIND_GPU", "none");
    try (TestServer server = TestServer.start(models, NO_SPARES)) {
      assertThat(data(server.http().infer("apart", head(1)))).isEqualTo(words(1));
      ask(server.http(), "within", 1);
      assertThat(gpu(server).lost()).isNull();
    }
  }
}
