package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.image.TestImages;
import dev.conveyor.models.steps.StepResources;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The step that decodes, on a device: the kernel is compiled as C, what decodes is OpenCV. */
class DeviceDecodesTest extends DecodeCase {

  /** Returns the largest difference of floats, in levels of 255. */
  private static double difference(Tensor a, Tensor b, double scale) {
    assertThat(a.shape()).isEqualTo(b.shape());
    double worst = 0;
    for (int at = 0; at < a.sizeBytes(); at += Float.BYTES) {
      worst = Math.max(worst, Math.abs(a.data().getFloat(at) - b.data().getFloat(at)) / scale);
    }
    return worst;
  }

  @ParameterizedTest
  @CsvSource({"1,1", "3,5", "33,100", "257,63"})
  void shouldGiveThePixelsOfTheHostInTheirOwnSize(int width, int height) {
    byte[] jpeg = TestImages.jpeg(TestImages.gradient(width, height));
    for (String color : List.of("RGB", "BGR", "GRAY")) {
      for (String layout : List.of("NCHW", "NHWC")) {
        Map<String, String> settings = Map.of("color", color, "layout", layout);
        try (Tensor found = decode(settings, jpeg, jpeg);
            Tensor expected = decodeOnHost(settings, jpeg, jpeg)) {
          assertThat(found.isOnDevice()).isTrue();
          assertThat(bytes(found)).isEqualTo(bytes(expected));
        }
      }
    }
    assertNothingLeft();
  }

  @ParameterizedTest
  @ValueSource(strings = {"RESIZE", "LETTERBOX", "PAD"})
  void shouldBringImagesToASizeWithinALevelOfTheHost(String mode) {
    Map<String, String> settings =
        Map.of(
            "width",
            "31",
            "height",
            "17",
            "mode",
            mode,
            "value",
            "7",
            "type",
            "FP32",
            "mean",
            "123.7,116.3,103.5",
            "scale",
            "0.5");
    byte[] large = TestImages.jpeg(TestImages.gradient(320, 240));
    try (Tensor found = decode(settings, jpeg(), large);
        Tensor expected = decodeOnHost(settings, jpeg(), large)) {
      assertThat(found.isOnDevice()).isTrue();
      assertThat(difference(found, expected, 0.5)).isLessThan(1.001);
    }
    assertNothingLeft();
  }

  @Test
  void shouldDecodeOnTheHostWhatTheDeviceDoesNot() {
    byte[] upright = jpeg();
    List<byte[]> others =
        List.of(
            TestImages.progressiveJpeg(TestImages.gradient(WIDTH, HEIGHT)),
            TestImages.png(TestImages.gradient(WIDTH, HEIGHT)),
            TestImages.withOrientation(TestImages.jpeg(TestImages.gradient(HEIGHT, WIDTH)), 6));
    for (byte[] other : others) {
      try (Tensor alone = decode(Map.of(), other);
          Tensor beside = decode(Map.of(), upright, other);
          Tensor expected = decodeOnHost(Map.of(), upright, other)) {
        assertThat(alone.isOnDevice() || beside.isOnDevice()).isFalse();
        assertThat(bytes(beside)).isEqualTo(bytes(expected));
      }
    }
    assertThat(simulator.figure(0, Figure.KERNELS)).isZero();
    assertNothingLeft();
  }

  @Test
  void shouldRefuseWhatTheHostRefusesWithItsWords() {
    byte[][] images = {jpeg(), TestImages.cmykJpeg(WIDTH, HEIGHT)};
    InferenceException expected = null;
    try {
      decodeOnHost(Map.of(), images).close();
    } catch (InferenceException e) {
      expected = e;
    }
    assertThat(expected).hasMessageContaining("image 1").hasMessageContaining("CMYK");
    assertThatThrownBy(() -> decode(Map.of(), images))
        .isInstanceOf(InferenceException.class)
        .hasMessage(expected.getMessage());
    assertNothingLeft();
  }

  @Test
  void shouldDecodeOnTheHostWhatNobodyReadsThere() {
    StepResources elsewhere =
        new StepResources(memory, Long.MAX_VALUE, (where, output) -> false, List.of(place));
    try (Tensor found = run(elsewhere, "decode", Map.of(), encoded(jpeg()))) {
      assertThat(found.isOnDevice()).isFalse();
    }
    assertThat(simulator.figure(0, Figure.TAKEN_BYTES)).isZero();
    assertNothingLeft();
  }

  @ParameterizedTest
  @CsvSource({"UINT8,NCHW", "UINT8,NHWC", "FP32,NCHW", "FP32,NHWC"})
  void shouldNormalizeWithTheNumbersOfTheHost(String type, String layout) {
    Map<String, String> decode = Map.of("type", type, "layout", layout);
    List<Map<String, String>> all =
        List.of(
            Map.of("layout", layout),
            Map.of("layout", layout, "mean", "127.5", "scale", "0.00784314"),
            Map.of("layout", layout, "mean", "123.7,116.3,103.5", "scale", "0.017,0.3,-7"));
    for (Map<String, String> settings : all) {
      StepResources onHost = new StepResources(memory, Long.MAX_VALUE);
      try (Tensor pixels = decode(decode, jpeg(), jpeg());
          Tensor found = run(there(), "normalize", settings, pixels);
          Tensor there = decodeOnHost(decode, jpeg(), jpeg());
          Tensor expected = run(onHost, "normalize", settings, there)) {
        assertThat(found.isOnDevice()).isTrue();
        assertThat(found.shape()).isEqualTo(expected.shape());
        assertThat(found.type()).isEqualTo(DataType.FP32);
        assertThat(bytes(found)).isEqualTo(bytes(expected));
      }
    }
    assertNothingLeft();
  }

  @Test
  void shouldNormalizeMoreChannelsThanTheKernelTakesOnTheHost() {
    String numbers = "1" + ",2".repeat(16);
    Map<String, String> settings = Map.of("mean", numbers);
    try (Tensor pixels =
        decode(Map.of("layout", "NHWC"), TestImages.jpeg(TestImages.gradient(17, 8)))) {
      // The width stands for channels.
      Tensor turned =
          Tensor.late("image", pixels.type(), Shape.of(1, 17, 8, 3), pixels.lateBytes().tryShare());
      try (Tensor found = run(there(), "normalize", settings, turned)) {
        assertThat(found.isOnDevice()).isFalse();
        assertThat(found.data().getFloat(0)).isEqualTo((turned.data().get(0) & 0xFF) - 1f);
      }
      turned.close();
    }
    assertNothingLeft();
  }

  /** Decodes, and cuts a crop out of what may not be there yet. */
  private int wrongResizes() {
    int wrong = 0;
    Map<String, String> size = Map.of("width", "9", "height", "7");
    for (int i = 0; i < 12; i++) {
      byte[] jpeg = TestImages.jpeg(TestImages.gradient(WIDTH + i, HEIGHT));
      Tensor pixels = decode(Map.of(), jpeg);
      Tensor found = run(there(), "resize", size, pixels);
      pixels.close();
      StepResources onHost = new StepResources(memory, Long.MAX_VALUE);
      try (Tensor expected = decodeOnHost(Map.of(), jpeg);
          Tensor resized = run(onHost, "resize", size, expected)) {
        assertThat(found.isOnDevice()).isTrue();
        wrong += Arrays.equals(bytes(found), bytes(resized)) ? 0 : 1;
      }
      found.close();
    }
    return wrong;
  }

  @Test
  void shouldHaveItsReadersWait() {
    for (int seed = 1; seed <= 4; seed++) {
      begin(ADVERSE + seed);
      assertThat(wrongResizes()).isZero();
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES)).as("answers").isEqualTo(12 * 3 * 9 * 7);
      assertNothingLeft();
    }
  }

  @Test
  void shouldBeSeenWhenAReaderDoesNotWait() {
    for (int seed = 1; seed <= 4; seed++) {
      begin(ADVERSE + seed);
      placeOn(DroppedCall.in(simulator.cuda(), "waitFor", 1, 0), 256 * MIB);
      assertThat(wrongResizes()).as("seed %d", seed).isPositive();
    }
  }

  @Test
  void shouldGiveTheImagesBackBeforeTheDeviceHasReadThem() {
    begin("latency_ns=5000000");
    ByteBuffer direct = ByteBuffer.allocateDirect(encoded(jpeg()).sizeBytes());
    direct.order(ByteOrder.LITTLE_ENDIAN).put(0, encoded(jpeg()).data(), 0, direct.capacity());
    Tensor encoded = Tensor.of("image", DataType.BYTES, Shape.of(1), direct);
    try (Tensor found = run(there(), "decode", Map.of(), encoded);
        Tensor expected = decodeOnHost(Map.of(), jpeg())) {
      encoded.close();
      direct.put(0, new byte[direct.capacity()]);
      assertThat(bytes(found)).isEqualTo(bytes(expected));
    }
    assertNothingLeft();
  }
}
