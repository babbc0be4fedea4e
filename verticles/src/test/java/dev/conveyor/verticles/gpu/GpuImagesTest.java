package dev.conveyor.verticles.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.DataType;
import dev.conveyor.models.device.sim.HostJpegs;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A whole server whose images are decoded on a simulated GPU. Both models compute the test kernel;
 * images of one colour become the same bytes on either device.
 */
final class GpuImagesTest extends GpuServerCase {

  private static final int SIDE = 8;

  GpuImagesTest() {
    super(1, "jitter_percent=100 device_bytes=67108864");
  }

  @BeforeEach
  void begin() {
    simulator.decodeJpegs(new HostJpegs());
  }

  private void model(String name, String device, String kind) {
    JsonObject block =
        new JsonObject()
            .put("input", "INPUT0")
            .put("height", SIDE)
            .put("width", SIDE)
            .put("mode", "LETTERBOX")
            .put("data_type", "TYPE_UINT8")
            .put("pad_value", 7)
            .put("device", device);
    JsonObject config =
        new JsonObject()
            .put("max_batch_size", 8)
            .put("instance_group", new JsonArray().add(new JsonObject().put("kind", kind)))
            .put("dynamic_batching", new JsonObject())
            .put(
                "parameters",
                new JsonObject()
                    .put(KernelBackend.PARAMETER, new JsonObject().put("string_value", "on")))
            .put("conveyor", new JsonObject().put("preprocessing", new JsonArray().add(block)));
    models.identity(name, DataType.UINT8, "N", 3, SIDE, SIDE).config(name, config.encode());
  }

  private static byte[] image(String format, Color color) {
    BufferedImage image = new BufferedImage(40, 20, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < 20; y++) {
      for (int x = 0; x < 40; x++) {
        image.setRGB(x, y, color.getRGB());
      }
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      ImageIO.setUseCache(false);
      assertThat(ImageIO.write(image, format, bytes)).isTrue();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return bytes.toByteArray();
  }

  private static JsonObject head(byte[] image) {
    return new JsonObject()
        .put(
            "inputs",
            new JsonArray()
                .add(
                    new JsonObject()
                        .put("name", "INPUT0")
                        .put("datatype", "BYTES")
                        .put("shape", new JsonArray().add(1))
                        .put(
                            "parameters",
                            new JsonObject().put("binary_data_size", image.length + 4))));
  }

  private static Answer ask(TestServer server, String model, byte[] image) {
    byte[] body = new byte[image.length + 4];
    ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN).putInt(image.length).put(image);
    return server.http().inferAsync(model, head(image), body).join();
  }

  @Test
  void shouldDecodeOnTheGpuAndGiveItsMemoryBack() {
    model("on_gpu", "GPU", "KIND_GPU");
    model("on_cpu", "CPU", "KIND_GPU");
    try (TestServer server = TestServer.start(models)) {
      long launched = 0;
      for (Color color : new Color[] {Color.RED, Color.GREEN, Color.GRAY}) {
        for (String format : new String[] {"jpg", "png"}) {
          byte[] image = image(format, color);
          Answer expected = ask(server, "on_cpu", image);
          long before = simulator.figure(0, Figure.KERNELS);
          Answer answer = ask(server, "on_gpu", image);
          launched += simulator.figure(0, Figure.KERNELS) - before;
          assertThat(answer.status()).as(answer.text()).isEqualTo(200);
          assertThat(answer.data()).isEqualTo(expected.data()).isNotEmpty();
        }
      }
      assertThat(launched).as("6 models, and 3 images that are JPEG").isEqualTo(6 + 3);
      Answer bad = ask(server, "on_gpu", new byte[] {(byte) 0xFF, (byte) 0xD8, (byte) 0xFF, 1});
      assertThat(bad.status()).isEqualTo(400);
      assertThat(bad.error()).contains("image 0 of input 'INPUT0'");
      server.assertIdle();

      server.http().post("/v2/repository/models/on_gpu/unload", "{}");
      server.http().post("/v2/repository/models/on_cpu/unload", "{}");
      assertThat(simulator.figure(0, Figure.TAKEN_BYTES)).isZero();
      assertThat(server.server().gpus().all().get(0).budget().reservedBytes()).isZero();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldDecodeOnTheHostWhenTheDeviceRefuses() {
    model("on_gpu", "AUTO", "KIND_GPU");
    model("on_cpu", "CPU", "KIND_GPU");
    try (TestServer server = TestServer.start(models)) {
      byte[] image = image("jpg", Color.RED);
      Answer expected = ask(server, "on_cpu", image);
      simulator.decodeJpegs((data, bytes, channels, pixels, room) -> 1);
      long before = simulator.figure(0, Figure.KERNELS);

      Answer answer = ask(server, "on_gpu", image);

      assertThat(answer.data()).isEqualTo(expected.data()).isNotEmpty();
      assertThat(simulator.figure(0, Figure.KERNELS) - before).as("the model's").isEqualTo(1);
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  /** Its header is as it should be, so only whoever decodes it finds out. */
  @Test
  void shouldRefuseAnImageThatNeitherDecodes() {
    model("on_gpu", "AUTO", "KIND_GPU");
    try (TestServer server = TestServer.start(models)) {
      byte[] good = image("jpg", Color.RED);

      Answer bad = ask(server, "on_gpu", withoutQuantization(good));

      assertThat(bad.status()).as(bad.text()).isEqualTo(400);
      assertThat(bad.error()).contains("corrupt image");
      assertThat(ask(server, "on_gpu", good).status()).isEqualTo(200);
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  private static byte[] withoutQuantization(byte[] jpeg) {
    ByteBuffer in = ByteBuffer.wrap(jpeg);
    ByteBuffer out = ByteBuffer.allocate(jpeg.length);
    out.putShort(in.getShort());
    boolean scan = false;
    while (!scan) {
      int marker = in.getShort() & 0xFFFF;
      byte[] segment = new byte[(in.getShort(in.position()) & 0xFFFF)];
      in.get(segment);
      scan = marker == 0xFFDA;
      if (marker != 0xFFDB) {
        out.putShort((short) marker).put(segment);
      }
    }
    out.put(in);
    return Arrays.copyOf(out.array(), out.position());
  }

  @Test
  void shouldTakeTheCpuWhereTheKernelCannotBeCompiledForTheGpu() {
    simulator.reset("real_time=1 devices=1 copy_ns=5000 device_bytes=67108864 capability=130");
    model("on_gpu", "AUTO", "KIND_GPU");
    model("insists", "GPU", "KIND_GPU");
    try (TestServer server = TestServer.start(models)) {
      long before = simulator.figure(0, Figure.KERNELS);
      assertThat(ask(server, "on_gpu", image("jpg", Color.RED)).status()).isEqualTo(200);
      assertThat(simulator.figure(0, Figure.KERNELS) - before).as("the model's").isEqualTo(1);

      Answer load = server.http().post("/v2/repository/models/insists/load", "{}");
      assertThat(load.status()).isEqualTo(400);
      assertThat(load.error()).contains("device: GPU cannot be had", "gpu-architecture");
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldServeFromTheGpuWhereOnlyTheDecoderCannotBeMade() {
    model("on_gpu", "GPU", "KIND_GPU");
    simulator.inject("cuModuleLoadData", 0, 200, Fault.RETURNED);
    try (TestServer server = TestServer.start(models)) {
      long before = simulator.figure(0, Figure.KERNELS);
      Answer answer = ask(server, "on_gpu", image("jpg", Color.RED));
      assertThat(answer.status()).as(answer.text()).isEqualTo(200);
      assertThat(simulator.figure(0, Figure.KERNELS) - before).as("the model's").isEqualTo(1);
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldTakeTheCpuWhereInstancesAreOnTheCpu() {
    model("anywhere", "AUTO", "KIND_CPU");
    model("insists", "GPU", "KIND_CPU");
    try (TestServer server = TestServer.start(models)) {
      Answer answer = ask(server, "anywhere", image("jpg", Color.RED));
      assertThat(answer.status()).as(answer.text()).isEqualTo(200);
      assertThat(simulator.figure(0, Figure.KERNELS)).isZero();

      Answer load = server.http().post("/v2/repository/models/insists/load", "{}");
      assertThat(load.status()).isEqualTo(400);
      assertThat(load.error())
          .contains("conveyor.preprocessing.device: GPU, but not all instances run on GPUs");
      server.assertIdle();
    }
  }

  @Test
  void shouldLoseTheDeviceAndNothingElseWhenTheKernelFails() {
    model("on_gpu", "AUTO", "KIND_AUTO");
    try (TestServer server = TestServer.start(models)) {
      byte[] image = image("jpg", Color.RED);
      assertThat(ask(server, "on_gpu", image).status()).isEqualTo(200);
      simulator.inject("cuLaunchKernel", 0, 719, Fault.RUNNING);

      Answer hit = ask(server, "on_gpu", image);

      assertThat(hit.status()).as(hit.text()).isIn(200, 503);
      assertThat(server.server().gpus().all().get(0).lost()).contains("719");
      server.assertIdle();
    }
    assertThat(simulator.violations()).isEmpty();
  }
}
