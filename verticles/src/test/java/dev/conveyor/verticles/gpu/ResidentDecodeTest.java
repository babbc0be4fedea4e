package dev.conveyor.verticles.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.DataType;
import dev.conveyor.models.device.sim.HostJpegs;
import dev.conveyor.models.image.TestImages;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Decode, crop, model: in a whole server with simulated GPUs. */
final class ResidentDecodeTest extends GpuServerCase {

  private static final int WIDTH = 40;
  private static final int HEIGHT = 24;
  private static final int CROP_BYTES = 3 * 8 * 8;
  private static final int REQUESTS = 12;

  ResidentDecodeTest() {
    super(1, "jitter_percent=300 device_bytes=268435456");
  }

  @BeforeEach
  void begin() {
    simulator.decodeJpegs(new HostJpegs());
    model("look", "KIND_GPU");
    ensemble("on_gpu", "");
    // The client gets the pixels too, so they are decoded on the host.
    ensemble("on_cpu", ", {'name': 'pixels', 'data_type': 'TYPE_UINT8', 'dims': [1, 3, -1, -1]}");
  }

  private void model(String name, String kind) {
    models
        .identity(name, DataType.UINT8, "N", 3, 8, 8)
        .config(
            name,
            """
            {'max_batch_size': 8, 'dynamic_batching': {}, 'instance_group': [{'kind': '%s'}],
             'parameters': {'%s': {'string_value': 'on'}}}\
            """
                .formatted(kind, KernelBackend.PARAMETER)
                .replace('\'', '"'));
  }

  private void ensemble(String name, String more) {
    models.config(
        name,
        """
        {'platform': 'ensemble',
         'input': [{'name': 'PHOTO', 'data_type': 'TYPE_STRING', 'dims': [1]},
                   {'name': 'BOX', 'data_type': 'TYPE_FP32', 'dims': [1, 4]}],
         'output': [{'name': 'OUT', 'data_type': 'TYPE_UINT8', 'dims': [1, 3, 8, 8]}%s],
         'ensemble_scheduling': {'step': [
           {'model_name': 'conveyor.decode', 'input_map': {'image': 'PHOTO'},
            'output_map': {'image': 'pixels'}},
           {'model_name': 'conveyor.crop', 'input_map': {'image': 'pixels', 'box': 'BOX'},
            'output_map': {'image': 'crop'}},
           {'model_name': 'look', 'input_map': {'INPUT0': 'crop'}, 'output_map': {'OUTPUT0': 'OUT'}}]},
         'parameters': {'step[1].width': {'string_value': '8'}, 'step[1].height': {'string_value': '8'}}}\
        """
            .formatted(more)
            .replace('\'', '"'));
  }

  private static CompletableFuture<Answer> ask(TestServer server, String ensemble, byte[] photo) {
    JsonObject binary = new JsonObject().put("binary_data_size", photo.length + 4);
    JsonObject head =
        new JsonObject()
            .put(
                "inputs",
                new JsonArray()
                    .add(input("PHOTO", "BYTES", List.of(1)).put("parameters", binary))
                    .add(
                        input("BOX", "FP32", List.of(1, 4))
                            .put("data", new JsonArray(List.of(3.5, -1, 30, 20)))));
    byte[] body = new byte[photo.length + 4];
    ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN).putInt(photo.length).put(photo);
    return server.http().inferAsync(ensemble, head, body);
  }

  private static JsonObject input(String name, String type, List<Integer> shape) {
    return new JsonObject().put("name", name).put("datatype", type).put("shape", shape);
  }

  private static JsonArray data(Answer answer) {
    assertThat(answer.status()).as(answer.text()).isEqualTo(200);
    return answer.output(0).getJsonArray("data");
  }

  private static long onDeviceBytes(TestServer server, String ensemble) {
    return Objects.requireNonNull(server.server().catalog().find(ensemble, "").handOver())
        .onDeviceBytes();
  }

  @Test
  void shouldKeepPixelsOnTheGpuThatAllTheirReadersAreOn() {
    try (TestServer server = TestServer.start(models)) {
      List<JsonArray> expected = new ArrayList<>();
      for (int i = 0; i < REQUESTS; i++) {
        expected.add(data(ask(server, "on_cpu", photo(i)).join()));
      }
      assertThat(onDeviceBytes(server, "on_cpu")).isZero();
      final long toHost = simulator.figure(0, Figure.TO_HOST_BYTES);
      final long toDevice = simulator.figure(0, Figure.TO_DEVICE_BYTES);
      List<CompletableFuture<Answer>> answers = new ArrayList<>();
      for (int i = 0; i < REQUESTS; i++) {
        answers.add(ask(server, "on_gpu", photo(i)));
      }
      for (int i = 0; i < REQUESTS; i++) {
        assertThat(data(answers.get(i).join())).isEqualTo(expected.get(i));
      }
      server.assertIdle();
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES) - toHost)
          .as("answers")
          .isEqualTo((long) REQUESTS * CROP_BYTES);
      assertThat(simulator.figure(0, Figure.TO_DEVICE_BYTES) - toDevice).as("copies").isZero();
      assertThat(onDeviceBytes(server, "on_gpu"))
          .as("pixels and crops")
          .isEqualTo((long) REQUESTS * (3 * WIDTH * HEIGHT + CROP_BYTES));

      for (String name : List.of("on_gpu", "on_cpu", "look")) {
        String path = "/v2/repository/models/" + name + "/unload";
        assertThat(server.http().post(path, "{}").status()).isEqualTo(200);
      }
      assertThat(simulator.figure(0, Figure.TAKEN_BYTES)).isZero();
      assertThat(server.server().gpus().all().get(0).budget().reservedBytes()).isZero();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  private static byte[] photo(int seed) {
    return TestImages.jpeg(
        TestImages.halves(WIDTH, HEIGHT, 0x103050 * (seed + 1), 0x070301 * (seed + 1)));
  }

  @Test
  void shouldDecodeOnTheHostImageByImage() {
    byte[] progressive = TestImages.progressiveJpeg(TestImages.gradient(WIDTH, HEIGHT));
    byte[] png = TestImages.png(TestImages.gradient(WIDTH, HEIGHT));
    try (TestServer server = TestServer.start(models)) {
      for (byte[] other : List.of(progressive, png)) {
        JsonArray expected = data(ask(server, "on_cpu", other).join());
        assertThat(data(ask(server, "on_gpu", other).join())).isEqualTo(expected);
      }
      assertThat(onDeviceBytes(server, "on_gpu")).isZero();
      data(ask(server, "on_gpu", photo(1)).join());
      assertThat(onDeviceBytes(server, "on_gpu")).isEqualTo(3 * WIDTH * HEIGHT + CROP_BYTES);
      Answer bad = ask(server, "on_gpu", TestImages.cmykJpeg(WIDTH, HEIGHT)).join();
      assertThat(bad.status()).isEqualTo(400);
      assertThat(bad.error()).contains("CMYK", "conveyor.decode");
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldDecodeOnTheHostForAModelOnTheCpu() {
    model("look", "KIND_CPU");
    try (TestServer server = TestServer.start(models)) {
      JsonArray expected = data(ask(server, "on_cpu", photo(1)).join());
      assertThat(data(ask(server, "on_gpu", photo(1)).join())).isEqualTo(expected);
      assertThat(onDeviceBytes(server, "on_gpu")).isZero();
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }
}
