package dev.conveyor.verticles.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.DataType;
import dev.conveyor.verticles.GpuPlaces;
import dev.conveyor.verticles.metrics.HandOver;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What goes from step to step of an ensemble, in a whole server with simulated GPUs. */
final class ResidentStepsTest extends GpuServerCase {

  private static final int WIDTH = 16;
  private static final int TENSOR_BYTES = WIDTH * Integer.BYTES;
  private static final int REQUESTS = 60;
  private static final int ROWS = 4;

  ResidentStepsTest() {
    super(1, "jitter_percent=300 device_bytes=134217728");
  }

  @BeforeEach
  void begin() {
    model("first", 0);
    model("second", 0);
  }

  /** Writes a model on so many GPUs; -1 is the CPU, where it gives what it takes. */
  private void model(String name, int gpu) {
    String group =
        gpu < 0 ? "{'kind': 'KIND_CPU'}" : "{'kind': 'KIND_GPU', 'gpus': [%d]}".formatted(gpu);
    models
        .identity(name, DataType.INT32, "N", WIDTH)
        .config(
            name,
            quoted(
                "{'max_batch_size': 8, 'dynamic_batching': {}, 'instance_group': [%s],"
                    + " 'parameters': {'%s': {'string_value': 'on'}}}",
                group, KernelBackend.PARAMETER));
  }

  private void ensemble(String outputs, String steps, String flow) {
    models.config(
        "chain",
        quoted(
            "{'platform': 'ensemble', 'input': [{'name': 'IN', 'data_type': 'TYPE_INT32',"
                + " 'dims': [-1, %d]}], 'output': [%s], 'ensemble_scheduling': {'step': [%s]},"
                + " 'conveyor': {'ensemble_step': [%s]}}",
            WIDTH, outputs, steps, flow));
  }

  @FormatMethod
  private static String quoted(@FormatString String format, Object... args) {
    return format.formatted(args).replace('\'', '"');
  }

  private static String output(String name) {
    return "{'name': '%s', 'data_type': 'TYPE_INT32', 'dims': [-1, %d]}".formatted(name, WIDTH);
  }

  private static String step(String model, String from, String to) {
    return "{'model_name': '%s', 'input_map': {'INPUT0': '%s'}, 'output_map': {'OUTPUT0': '%s'}}"
        .formatted(model, from, to);
  }

  private static final String STEPS =
      step("first", "IN", "mid") + "," + step("second", "mid", "OUT");

  private static int[] words(int seed, int rows) {
    int[] words = new int[rows * WIDTH];
    for (int i = 0; i < words.length; i++) {
      words[i] = 1000 * seed + 7 * i;
    }
    return words;
  }

  private static JsonObject head(int[] words) {
    return new JsonObject()
        .put(
            "inputs",
            new JsonArray()
                .add(
                    new JsonObject()
                        .put("name", "IN")
                        .put("datatype", "INT32")
                        .put("shape", new JsonArray().add(words.length / WIDTH).add(WIDTH))
                        .put("data", new JsonArray(Arrays.stream(words).boxed().toList()))));
  }

  private static int[] data(Answer answer, int output) {
    assertThat(answer.status()).as(answer.text()).isEqualTo(200);
    return answer.output(output).getJsonArray("data").stream()
        .mapToInt(word -> ((Number) word).intValue())
        .toArray();
  }

  /** Returns what a model on a GPU makes of every row. */
  private static int[] computed(int[] words) {
    int[] all = new int[words.length];
    for (int at = 0; at < words.length; at += WIDTH) {
      int[] row = TestKernel.expected(Arrays.copyOfRange(words, at, at + WIDTH), WIDTH);
      System.arraycopy(row, 0, all, at, WIDTH);
    }
    return all;
  }

  private long bytes(int device, Figure figure) {
    return simulator.figure(device, figure);
  }

  private static HandOver handOver(TestServer server) {
    return Objects.requireNonNull(server.server().catalog().find("chain", "").handOver());
  }

  private void unloadAll(TestServer server, String... names) {
    for (String name : names) {
      String path = "/v2/repository/models/" + name + "/unload";
      assertThat(server.http().post(path, "{}").status()).isEqualTo(200);
    }
  }

  @Test
  void shouldCopyNothingBetweenHostAndDeviceBetweenTwoSteps() {
    ensemble(output("OUT"), STEPS, "");
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      final long toDevice = bytes(0, Figure.TO_DEVICE_BYTES);
      final long toHost = bytes(0, Figure.TO_HOST_BYTES);
      final long onDevice = bytes(0, Figure.ON_DEVICE_BYTES);
      List<CompletableFuture<Answer>> answers = new ArrayList<>();
      for (int i = 0; i < REQUESTS; i++) {
        answers.add(http.inferAsync("chain", head(words(i, 1)), new byte[0]));
      }
      for (int i = 0; i < REQUESTS; i++) {
        assertThat(data(answers.get(i).join(), 0)).isEqualTo(computed(computed(words(i, 1))));
      }
      server.assertIdle();
      long all = (long) REQUESTS * TENSOR_BYTES;
      assertThat(bytes(0, Figure.TO_DEVICE_BYTES) - toDevice).as("requests").isEqualTo(all);
      assertThat(bytes(0, Figure.TO_HOST_BYTES) - toHost).as("answers").isEqualTo(all);
      assertThat(bytes(0, Figure.ON_DEVICE_BYTES) - onDevice).isEqualTo(2 * all);
      assertThat(handOver(server).handedOnBytes()).isEqualTo(all);
      assertThat(handOver(server).onDeviceBytes()).isEqualTo(all);
      assertThat(handOver(server).copiedBytes()).isZero();
      HttpCalls metrics = new HttpCalls(server.server().metricsPort());
      assertThat(metrics.get("/metrics").text())
          .contains("conveyor_ensemble_on_device_bytes_total{model=\"chain\"");

      unloadAll(server, "chain", "first", "second");
      assertThat(bytes(0, Figure.TAKEN_BYTES)).isZero();
      assertThat(server.server().gpus().all().get(0).budget().reservedBytes()).isZero();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldHandRowsOnWithoutTheHost() {
    model("third", 0);
    ensemble(
        output("OUT"),
        step("first", "IN", "mid")
            + ","
            + step("second", "mid", "last")
            + ","
            + step("third", "last", "OUT"),
        "{'step': 1, 'for_each': ['INPUT0']}");
    try (TestServer server = TestServer.start(models)) {
      final long toDevice = bytes(0, Figure.TO_DEVICE_BYTES);
      final long toHost = bytes(0, Figure.TO_HOST_BYTES);
      for (int i = 0; i < ROWS; i++) {
        int[] words = words(i, ROWS);
        assertThat(data(server.http().infer("chain", head(words)), 0))
            .isEqualTo(computed(computed(computed(words))));
      }
      server.assertIdle();
      long all = (long) ROWS * ROWS * TENSOR_BYTES;
      assertThat(bytes(0, Figure.TO_DEVICE_BYTES) - toDevice).isEqualTo(all);
      assertThat(bytes(0, Figure.TO_HOST_BYTES) - toHost).isEqualTo(all);
      assertThat(handOver(server).onDeviceBytes()).isEqualTo(2 * all);
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldCopyToTheHostWhatTheClientGetsToo() {
    ensemble(output("OUT") + "," + output("mid"), STEPS, "");
    try (TestServer server = TestServer.start(models)) {
      int[] words = words(3, 2);
      Answer answer = server.http().infer("chain", head(words));
      assertThat(data(answer, 0)).isEqualTo(computed(computed(words)));
      assertThat(data(answer, 1)).isEqualTo(computed(words));
      server.assertIdle();
      assertThat(handOver(server).onDeviceBytes()).isZero();
      assertThat(bytes(0, Figure.ON_DEVICE_BYTES)).isZero();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldTakeTheHostToAModelOnTheCpu() {
    model("second", -1);
    ensemble(output("OUT"), STEPS, "");
    try (TestServer server = TestServer.start(models)) {
      int[] words = words(3, 2);
      assertThat(data(server.http().infer("chain", head(words)), 0)).isEqualTo(computed(words));
      assertThat(handOver(server).onDeviceBytes()).isZero();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldCopyStraightToAModelOnAnotherGpu() {
    gpus.reset(2);
    model("second", 1);
    ensemble(output("OUT"), STEPS, "");
    try (TestServer server = TestServer.start(models)) {
      final long toHost = bytes(0, Figure.TO_HOST_BYTES);
      int[] words = words(5, 2);
      assertThat(data(server.http().infer("chain", head(words)), 0))
          .isEqualTo(computed(computed(words)));
      long bytes = 2L * TENSOR_BYTES;
      assertThat(handOver(server).onDeviceBytes()).isEqualTo(bytes);
      assertThat(bytes(0, Figure.PEER_BYTES)).isEqualTo(bytes);
      assertThat(bytes(0, Figure.TO_HOST_BYTES) - toHost).as("the answer").isEqualTo(bytes);
      GpuPlaces places = server.server().gpus();
      assertThat(places.all().get(1).directBytes()).isEqualTo(bytes);
      assertThat(places.peersOf(places.all().get(0))).containsExactly("GPU1");
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldFollowAModelThatIsLoadedElsewhereAnew() {
    ensemble(output("OUT"), STEPS, "");
    try (TestServer server = TestServer.start(models)) {
      int[] words = words(5, 1);
      assertThat(data(server.http().infer("chain", head(words)), 0))
          .isEqualTo(computed(computed(words)));
      assertThat(handOver(server).onDeviceBytes()).isEqualTo(TENSOR_BYTES);

      model("second", -1);
      assertThat(server.http().post("/v2/repository/models/second/load", "{}").status())
          .isEqualTo(200);
      assertThat(data(server.http().infer("chain", head(words)), 0)).isEqualTo(computed(words));
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }
}
