package dev.conveyor.verticles.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.steps.StepResources;
import dev.conveyor.models.steps.StepSettings;
import dev.conveyor.models.steps.Steps;
import dev.conveyor.verticles.metrics.HandOver;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Model, crop, model: in a whole server with simulated GPUs. */
final class ResidentCropsTest extends GpuServerCase {

  private static final int SIDE = 16;
  private static final int IMAGE_BYTES = SIDE * SIDE;
  private static final int CROP = 8;
  private static final int CROP_BYTES = CROP * CROP;
  private static final int BOXES = 3;
  private static final int REQUESTS = 20;

  ResidentCropsTest() {
    super(1, "jitter_percent=300 device_bytes=268435456");
  }

  @BeforeEach
  void begin() {
    model("first", SIDE, 0);
    model("second", CROP, 0);
    ensemble("");
  }

  /** Writes a model of grey images on a GPU; -1 is the CPU, where it gives what it takes. */
  private void model(String name, int side, int gpu) {
    String group = gpu < 0 ? "{'kind': 'KIND_CPU'}" : "{'kind': 'KIND_GPU', 'gpus': [" + gpu + "]}";
    models
        .identity(name, DataType.UINT8, "N", 1, side, side)
        .config(
            name,
            """
            {'max_batch_size': 8, 'dynamic_batching': {}, 'instance_group': [%s],
             'parameters': {'%s': {'string_value': 'on'}}}\
            """
                .formatted(group, KernelBackend.PARAMETER)
                .replace('\'', '"'));
  }

  /** Writes the ensemble, which may give the image or the crops to the client too. */
  private void ensemble(String more) {
    models.config(
        "chain",
        """
        {'platform': 'ensemble',
         'input': [{'name': 'IMAGE', 'data_type': 'TYPE_UINT8', 'dims': [1, 1, 16, 16]},
                   {'name': 'BOXES', 'data_type': 'TYPE_FP32', 'dims': [-1, 4]}],
         'output': [{'name': 'OUT', 'data_type': 'TYPE_UINT8', 'dims': [-1, 1, 8, 8]}%s],
         'ensemble_scheduling': {'step': [
           {'model_name': 'first', 'input_map': {'INPUT0': 'IMAGE'}, 'output_map': {'OUTPUT0': 'pixels'}},
           {'model_name': 'conveyor.crop', 'input_map': {'image': 'pixels', 'box': 'BOXES'},
            'output_map': {'image': 'crop'}},
           {'model_name': 'second', 'input_map': {'INPUT0': 'crop'}, 'output_map': {'OUTPUT0': 'OUT'}}]},
         'parameters': {'step[1].width': {'string_value': '8'}, 'step[1].height': {'string_value': '8'}},
         'conveyor': {'ensemble_step': [{'step': 1, 'for_each': ['box']}]}}\
        """
            .formatted(more)
            .replace('\'', '"'));
  }

  private static byte[] image(int seed) {
    byte[] pixels = new byte[IMAGE_BYTES];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (31 * seed + 7 * i);
    }
    return pixels;
  }

  private static float[] boxes(int seed) {
    float[] corners = new float[4 * BOXES];
    for (int box = 0; box < BOXES; box++) {
      corners[4 * box] = box - 1.5f;
      corners[4 * box + 1] = seed % 7;
      corners[4 * box + 2] = box + 9;
      corners[4 * box + 3] = seed % 7 + 4 + box;
    }
    return corners;
  }

  private static JsonObject head(int seed) {
    JsonArray pixels = new JsonArray();
    for (byte pixel : image(seed)) {
      pixels.add(pixel & 0xFF);
    }
    JsonArray corners = new JsonArray();
    for (float corner : boxes(seed)) {
      corners.add(corner);
    }
    return new JsonObject()
        .put(
            "inputs",
            new JsonArray()
                .add(input("IMAGE", "UINT8", pixels, 1, 1, SIDE, SIDE))
                .add(input("BOXES", "FP32", corners, BOXES, 4)));
  }

  private static JsonObject input(String name, String type, JsonArray data, Object... shape) {
    return new JsonObject()
        .put("name", name)
        .put("datatype", type)
        .put("shape", new JsonArray(List.of(shape)))
        .put("data", data);
  }

  private static ByteBuffer little(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Returns what a model on a GPU makes of an image. */
  private static byte[] computed(byte[] image) {
    ByteBuffer in = little(image.length).put(0, image);
    int[] words = new int[image.length / Integer.BYTES];
    for (int i = 0; i < words.length; i++) {
      words[i] = in.getInt(Integer.BYTES * i);
    }
    byte[] bytes = new byte[image.length];
    ByteBuffer out = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int word : TestKernel.expected(words, words.length)) {
      out.putInt(word);
    }
    return bytes;
  }

  /** Returns what the whole gives, its steps by hand and on the host. */
  private static int[] expected(int seed, boolean secondComputes) {
    Tensor image =
        Tensor.of(
            "image",
            DataType.UINT8,
            Shape.of(1, 1, SIDE, SIDE),
            ByteBuffer.wrap(computed(image(seed))));
    ByteBuffer all = little(BOXES * CROP_BYTES);
    for (int box = 0; box < BOXES; box++) {
      ByteBuffer corners = little(16);
      for (int c = 0; c < 4; c++) {
        corners.putFloat(4 * c, boxes(seed)[4 * box + c]);
      }
      Tensor crop =
          new StepResources(new BufferPool(BlockAllocator.host(), 1 << 20), 1 << 20)
              .run(
                  Steps.onClassPath()
                      .create(
                          "conveyor.crop",
                          new StepSettings(1, Map.of("width", "8", "height", "8"))),
                  List.of(image, Tensor.of("box", DataType.FP32, Shape.of(1, 4), corners)))
              .get(0);
      byte[] pixels = new byte[CROP_BYTES];
      crop.data().get(0, pixels);
      all.put(secondComputes ? computed(pixels) : pixels);
    }
    int[] numbers = new int[all.capacity()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = all.get(i) & 0xFF;
    }
    return numbers;
  }

  private static int[] data(Answer answer) {
    assertThat(answer.status()).as(answer.text()).isEqualTo(200);
    return answer.output(0).getJsonArray("data").stream()
        .mapToInt(number -> ((Number) number).intValue())
        .toArray();
  }

  private static HandOver handOver(TestServer server) {
    return Objects.requireNonNull(server.server().catalog().find("chain", "").handOver());
  }

  private void assertRight(TestServer server, int requests, boolean secondComputes) {
    List<CompletableFuture<Answer>> answers = new ArrayList<>();
    for (int i = 0; i < requests; i++) {
      answers.add(server.http().inferAsync("chain", head(i), new byte[0]));
    }
    for (int i = 0; i < requests; i++) {
      assertThat(data(answers.get(i).join())).isEqualTo(expected(i, secondComputes));
    }
    server.assertIdle();
  }

  @Test
  void shouldCopyNothingBetweenHostAndDeviceBetweenModelCropAndModel() {
    try (TestServer server = TestServer.start(models)) {
      final long toDevice = simulator.figure(0, Figure.TO_DEVICE_BYTES);
      final long toHost = simulator.figure(0, Figure.TO_HOST_BYTES);
      assertRight(server, REQUESTS, true);
      assertThat(simulator.figure(0, Figure.TO_DEVICE_BYTES) - toDevice)
          .as("images of the client")
          .isEqualTo((long) REQUESTS * IMAGE_BYTES);
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES) - toHost)
          .as("answers")
          .isEqualTo((long) REQUESTS * BOXES * CROP_BYTES);
      assertThat(handOver(server).onDeviceBytes())
          .as("the image to each of its crops, the crops to the model")
          .isEqualTo((long) REQUESTS * BOXES * (IMAGE_BYTES + CROP_BYTES));
      assertThat(handOver(server).copiedBytes())
          .as("answers, to be joined")
          .isEqualTo((long) REQUESTS * BOXES * CROP_BYTES);

      for (String name : List.of("chain", "first", "second")) {
        String path = "/v2/repository/models/" + name + "/unload";
        assertThat(server.http().post(path, "{}").status()).isEqualTo(200);
      }
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldTakeTheHostWhereTheClientGetsTheImageToo() {
    ensemble(", {'name': 'pixels', 'data_type': 'TYPE_UINT8', 'dims': [1, 1, 16, 16]}");
    assertOnHost(true);
  }

  @Test
  void shouldTakeTheHostWhereTheClientGetsTheCropsToo() {
    ensemble(", {'name': 'crop', 'data_type': 'TYPE_UINT8', 'dims': [-1, 1, 8, 8]}");
    assertOnHost(true);
  }

  @Test
  void shouldTakeTheHostToAModelOnTheCpu() {
    model("second", CROP, -1);
    assertOnHost(false);
  }

  @Test
  void shouldTakeCropsStraightToAModelOnAnotherGpu() {
    gpus.reset(2);
    model("second", CROP, 1);
    try (TestServer server = TestServer.start(models)) {
      assertRight(server, 3, true);
      assertThat(handOver(server).onDeviceBytes()).isPositive();
      assertThat(simulator.figure(0, Figure.PEER_BYTES)).isEqualTo(3L * BOXES * CROP_BYTES);
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  private void assertOnHost(boolean secondComputes) {
    try (TestServer server = TestServer.start(models)) {
      final long toHost = simulator.figure(0, Figure.TO_HOST_BYTES);
      data(server.http().infer("chain", head(1)));
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES) - toHost)
          .isGreaterThanOrEqualTo(IMAGE_BYTES);
      assertRight(server, 3, secondComputes);
      assertThat(handOver(server).onDeviceBytes()).isZero();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldCutOnTheHostOnceTheDeviceHasRefusedTheKernel() {
    simulator.inject("cuModuleLoadData", 0, 200, Fault.RETURNED);
    try (TestServer server = TestServer.start(models)) {
      final long toHost = simulator.figure(0, Figure.TO_HOST_BYTES);
      assertThat(data(server.http().infer("chain", head(0)))).isEqualTo(expected(0, true));
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES) - toHost)
          .as("the image, once for all of its crops, and the answer")
          .isEqualTo(IMAGE_BYTES + BOXES * CROP_BYTES);
      long onDevice = handOver(server).onDeviceBytes();
      assertThat(onDevice).isEqualTo((long) BOXES * IMAGE_BYTES);
      assertRight(server, 5, true);
      assertThat(handOver(server).onDeviceBytes())
          .as("the image stays no more")
          .isEqualTo(onDevice);
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }
}
