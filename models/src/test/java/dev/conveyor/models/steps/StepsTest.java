package dev.conveyor.models.steps;

import static dev.conveyor.models.steps.StepRuns.floats;
import static dev.conveyor.models.steps.StepRuns.little;
import static dev.conveyor.models.steps.StepRuns.run;
import static dev.conveyor.models.steps.StepRuns.values;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Every built-in step, with what its outputs say about themselves checked against what they are.
 */
final class StepsTest {

  private static final float NAN = Float.NaN;

  @Test
  void shouldTurnLogitsIntoProbabilities() {
    Tensor y = run("softmax", Map.of(), floats("x", Shape.of(2, 2), 0, 0, 1000, 0)).get(0);
    assertThat(values(y)).containsExactly(0.5f, 0.5f, 1, 0);
  }

  @Test
  void shouldFindTheLargestFirstOfEqualsFirstAndNanLast() {
    Tensor x = floats("x", Shape.of(2, 4), 1, 3, 3, 2, NAN, -1, NAN, -5);
    List<Tensor> best = run("top_k", Map.of("k", "3"), x);
    assertThat(values(best.get(0))).containsExactly(3, 3, 2, -1, -5, NAN);
    assertThat(longs(best.get(1))).containsExactly(1, 2, 3, 1, 3, 0);
    assertThat(longs(run("argmax", Map.of(), x).get(1))).containsExactly(1, 1);
    Tensor pooled = floats("x", Shape.of(1, 3, 1, 1), 5, 6, 4);
    assertThat(run("argmax", Map.of(), pooled).get(1).shape()).isEqualTo(Shape.of(1, 1));
    assertThat(longs(run("argmax", Map.of(), pooled).get(1))).containsExactly(1);
    assertThatThrownBy(() -> run("top_k", Map.of("k", "5"), x))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("largest 5 of 4");
  }

  @Test
  void shouldMarkWhatIsAtLeastTheThreshold() {
    Tensor mask =
        run("threshold", Map.of("at", "0.5"), floats("x", Shape.of(1, 4), 0.5f, 0.4f, NAN, 9))
            .get(0);
    assertThat(bytes(mask)).containsExactly(1, 0, 0, 1);
  }

  @Test
  void shouldKeepTheBestOfOverlappingBoxesPerClass() {
    Tensor boxes =
        floats(
            "boxes",
            Shape.of(1, 5, 4),
            0,
            0,
            10,
            10,
            1,
            0,
            11,
            10,
            50,
            50,
            60,
            60,
            5,
            5,
            5,
            9,
            0,
            0,
            NAN,
            1);
    Tensor scores = floats("scores", Shape.of(1, 5, 2), 1, 0.8f, 1, 0.9f, 1, 0.3f, 1, 1, 1, 1);
    List<Tensor> kept =
        run("nms", Map.of("first_class", "1", "score", "0.25", "max", "3"), boxes, scores);
    assertThat(kept.get(3).data().getInt(0)).isEqualTo(2);
    assertThat(values(kept.get(0))).containsExactly(1, 0, 11, 10, 50, 50, 60, 60, 0, 0, 0, 0);
    assertThat(values(kept.get(1))).containsExactly(0.9f, 0.3f, 0);
    assertThat(kept.get(2).data().getInt(0)).isEqualTo(1);
  }

  @Test
  void shouldTakeNoDetectionsAndTenThousand() {
    List<Tensor> none =
        run(
            "nms",
            Map.of(),
            floats("boxes", Shape.of(1, 0, 4)),
            floats("scores", Shape.of(1, 0, 1)));
    assertThat(none.get(3).data().getInt(0)).isZero();

    float[] many = new float[40_000];
    float[] sure = new float[10_000];
    for (int i = 0; i < sure.length; i++) {
      many[4 * i] = 2 * i;
      many[4 * i + 2] = 2 * i + 1;
      many[4 * i + 3] = 1;
      sure[i] = 1;
    }
    List<Tensor> some =
        run(
            "nms",
            Map.of("max", "50"),
            floats("boxes", Shape.of(1, 10_000, 4), many),
            floats("scores", Shape.of(1, 10_000, 1), sure));
    assertThat(some.get(3).data().getInt(0)).isEqualTo(50);
    assertThat(some.get(0).data().getFloat(4 * 4)).isEqualTo(2);
  }

  @Test
  void shouldBringBoxesBackToTheSource() {
    Tensor size =
        Tensor.of("size", DataType.INT32, Shape.of(1, 2), little(8).putInt(0, 200).putInt(4, 100));
    // 200 x 100 in a frame of 100 x 100: 100 x 50, 25 lines below the edge.
    assertThat(
            values(
                run(
                        "to_source",
                        Map.of(
                            "width",
                            "100",
                            "height",
                            "100",
                            "mode",
                            "letterbox",
                            "boxes",
                            "pixels"),
                        floats("boxes", Shape.of(1, 1, 4), 0, 25, 100, 75),
                        size)
                    .get(0)))
        .containsExactly(0, 0, 200, 100);
    assertThat(
            values(
                run(
                        "to_source",
                        Map.of("width", "10", "height", "10"),
                        floats("boxes", Shape.of(1, 1, 4), 0, 0.5f, 0.5f, 1),
                        size)
                    .get(0)))
        .containsExactly(0, 50, 100, 100);
  }

  @Test
  void shouldTellTheSizeOfAnImageAndTurnItAsExifSays() {
    assertThat(size(jpeg(0))).containsExactly(30, 20);
    assertThat(size(jpeg(1))).containsExactly(30, 20);
    assertThat(size(jpeg(6))).containsExactly(20, 30);
    assertThatThrownBy(() -> size(new byte[] {1, 2, 3})).hasMessageContaining("neither JPEG");
  }

  @Test
  void shouldCutAndResize() {
    Tensor image = floats("image", Shape.of(1, 1, 2, 4), 0, 1, 2, 3, 4, 5, 6, 7);
    assertThat(
            values(
                run(
                        "crop",
                        Map.of("width", "2", "height", "2"),
                        image,
                        floats("box", Shape.of(1, 4), 1, 0, 3, 2))
                    .get(0)))
        .containsExactly(1, 2, 5, 6);
    assertThat(values(run("resize", Map.of("width", "2", "height", "1"), image).get(0)))
        .containsExactly(2.5f, 4.5f);
    assertThatThrownBy(
            () ->
                run(
                    "crop",
                    Map.of("width", "2", "height", "2"),
                    image,
                    floats("box", Shape.of(1, 4), 1, 1, 1, 2)))
        .hasMessageContaining("no area");
  }

  @Test
  void shouldMeasureMasks() {
    Tensor mask =
        Tensor.of(
            "mask",
            DataType.UINT8,
            Shape.of(2, 2, 4),
            ByteBuffer.wrap(new byte[] {0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
    List<Tensor> statistics = run("mask_statistics", Map.of(), mask);
    assertThat(values(statistics.get(0))).containsExactly(0.25f, 0);
    assertThat(values(statistics.get(1))).containsExactly(1, 1, 3, 2, 0, 0, 0, 0);
  }

  @Test
  void shouldRefuseSettingsThatAreWrongOrUnknown() {
    assertThatThrownBy(() -> run("top_k", Map.of("k", "0")))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("parameters.step[3].k: expected a whole number from 1")
        .hasMessageContaining("found \"0\"");
    assertThatThrownBy(() -> run("softmax", Map.of("axis", "1")))
        .hasMessageContaining("parameters.step[3].axis: not a setting of this step");
    assertThatThrownBy(() -> run("resize", Map.of("width", "3")))
        .hasMessageContaining("step[n].height");
    assertThatThrownBy(
            () ->
                Steps.onClassPath()
                    .create("conveyor.softmax", new StepSettings(0, Map.of()))
                    .outputs(List.of(new TensorSpec("x", DataType.INT32, Shape.of(-1, 4)))))
        .hasMessageContaining("input_map.x: expected TYPE_FP32");
  }

  private static int[] size(byte[] image) {
    Tensor size =
        run("image_size", Map.of(), BytesTensors.of("image", Shape.of(1, 1), List.of(image)))
            .get(0);
    return new int[] {size.data().getInt(0), size.data().getInt(4)};
  }

  /** The head of a JPEG of 30 x 20, with an orientation if it is above 0. */
  private static byte[] jpeg(int orientation) {
    ByteBuffer bytes = ByteBuffer.allocate(200);
    bytes.putShort((short) 0xFFD8);
    if (orientation > 0) {
      bytes.putShort((short) 0xFFE1).putShort((short) 34).putInt(0x45786966).putShort((short) 0);
      bytes.putShort((short) 0x4D4D).putShort((short) 42).putInt(8).putShort((short) 1);
      bytes.putShort((short) 0x0112).putShort((short) 3).putInt(1);
      bytes.putShort((short) orientation).putShort((short) 0).putInt(0);
    }
    bytes.putShort((short) 0xFFC0).putShort((short) 17).put((byte) 8);
    bytes.putShort((short) 20).putShort((short) 30).put((byte) 3);
    bytes.put(new byte[] {1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0});
    bytes.putShort((short) 0xFFD9);
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  private static long[] longs(Tensor tensor) {
    long[] values = new long[tensor.sizeBytes() / 8];
    for (int i = 0; i < values.length; i++) {
      values[i] = tensor.data().getLong(8 * i);
    }
    return values;
  }

  private static byte[] bytes(Tensor tensor) {
    byte[] values = new byte[tensor.sizeBytes()];
    tensor.data().get(0, values);
    return values;
  }
}
