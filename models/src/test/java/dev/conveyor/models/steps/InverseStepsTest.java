package dev.conveyor.models.steps;

import static dev.conveyor.models.steps.StepRuns.floats;
import static dev.conveyor.models.steps.StepRuns.little;
import static dev.conveyor.models.steps.StepRuns.run;
import static dev.conveyor.models.steps.StepRuns.values;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a model says of pixels and of places in a list, back where its input came from. */
final class InverseStepsTest {

  @ParameterizedTest
  @CsvSource({"PAD, bilinear", "LETTERBOX, bilinear", "PAD, nearest", "LETTERBOX, nearest"})
  void shouldGiveTheImageBackThatWasFitted(String mode, String sampling) {
    float[] pixels = new float[2 * 3 * 5 * 7];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = i;
    }
    Tensor image = floats("image", Shape.of(2, 3, 5, 7), pixels);
    // 7 x 5 in 14 x 11: twice as large, a line below, or as it is.
    Map<String, String> settings = Map.of("mode", mode, "sizes", "14x11", "value", "-1000");
    List<Tensor> fitted = run("fit", settings, image);

    Tensor back =
        run(
                "unfit_image",
                Map.of("sampling", sampling),
                fitted.get(0),
                fitted.get(1),
                fitted.get(2))
            .get(0);
    assertThat(back.shape()).isEqualTo(image.shape());
    if (mode.equals("PAD")) {
      assertThat(values(back)).isEqualTo(pixels);
    } else {
      float[] restored = values(back);
      for (int i = 0; i < pixels.length; i++) {
        // Enlarged by 2 and made smaller by 2, an edge moves by a quarter of a pixel each way.
        assertThat(restored[i]).isBetween(pixels[i] - 2.1f, pixels[i] + 2.1f);
      }
    }
  }

  @Test
  void shouldLetNoPaddingBleedIntoWhatIsLeft() {
    // 4 x 1 of a mask of 8 x 8, whose every pixel stands for 4 x 4: 32 x 32, the image in lines
    // 8-23.
    float[] mask = new float[64];
    Arrays.fill(mask, -1000);
    Arrays.fill(mask, 2 * 8, 6 * 8, 1);
    Tensor image = floats("image", Shape.of(1, 1, 8, 8), mask);
    Map<String, String> stride = Map.of("stride", "4");
    Tensor back = run("unfit_image", stride, image, size(64, 32), frame(0, 8, 32, 16)).get(0);
    assertThat(back.shape()).isEqualTo(Shape.of(1, 1, 32, 64));
    assertThat(values(back)).containsOnly(1);

    // A frame that begins within a pixel of the mask leaves that out.
    Tensor within = run("unfit_image", stride, image, size(8, 4), frame(0, 7, 32, 17)).get(0);
    assertThat(values(within)).containsOnly(1);
  }

  @Test
  void shouldKeepNumbersOfClassesWhereTheyMeet() {
    ByteBuffer classes = ByteBuffer.wrap(new byte[] {1, 9, 9, 9});
    Tensor image = Tensor.of("image", DataType.UINT8, Shape.of(1, 1, 2, 2), classes);
    Tensor nearest =
        run("unfit_image", Map.of("sampling", "nearest"), image, size(4, 4), frame(0, 0, 2, 2))
            .get(0);
    byte[] bytes = new byte[16];
    nearest.data().get(0, bytes);
    assertThat(bytes).containsExactly(1, 1, 9, 9, 1, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9);
    Tensor mixed = run("unfit_image", Map.of(), image, size(4, 4), frame(0, 0, 2, 2)).get(0);
    assertThat(mixed.data().get(1)).isEqualTo((byte) 3);
  }

  @Test
  void shouldRefuseFramesAndSizesThatCannotBe() {
    Tensor image = floats("image", Shape.of(1, 1, 2, 2), 1, 2, 3, 4);
    int[][] frames = {{0, 0, 3, 2}, {-1, 0, 2, 2}, {0, 1, 2, 2}, {0, 0, 0, 2}};
    for (int[] sides : frames) {
      assertThatThrownBy(() -> run("unfit_image", Map.of(), image, size(4, 4), frame(sides)))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("is not inside of 2 x 2 pixels with stride=1");
    }
    assertThatThrownBy(() -> run("unfit_image", Map.of(), image, size(0, 4), frame(0, 0, 2, 2)))
        .isInstanceOf(InferenceException.class)
        .hasMessage("size 0 is 0 x 4, which has no pixels");
    Tensor two = floats("image", Shape.of(2, 1, 1, 1), 1, 2);
    assertThatThrownBy(
            () ->
                run("unfit_image", Map.of(), two, size(4, 4, 4, 5), frame(0, 0, 1, 1, 0, 0, 1, 1)))
        .hasMessage("size 0 is 4 x 4 and size 1 is 4 x 5: take them apart with for_each");
    Tensor none = floats("image", Shape.of(0, 2, 0, 0));
    assertThat(run("unfit_image", Map.of(), none, size(), frame()).get(0).shape())
        .isEqualTo(Shape.of(0, 2, 0, 0));
  }

  @Test
  void shouldCutOffWhatWasFilledUp() {
    Tensor x = floats("x", Shape.of(2, 3, 2), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    List<Tensor> padded = run("pad", Map.of("lengths", "8"), x);
    Tensor back = run("unpad", Map.of(), padded.get(0), padded.get(2)).get(0);
    assertThat(back.shape()).isEqualTo(x.shape());
    assertThat(values(back)).isEqualTo(values(x));

    Tensor scores = floats("x", Shape.of(2, 4), 1, 2, 3, 4, 5, 6, 7, 8);
    assertThat(values(run("unpad", Map.of(), scores, lengths(1, 1)).get(0))).containsExactly(1, 5);
    assertThatThrownBy(() -> run("unpad", Map.of(), scores, lengths(1, 2)))
        .isInstanceOf(InferenceException.class)
        .hasMessage("length 0 is 1 and length 1 is 2: take them apart with for_each");
    assertThatThrownBy(() -> run("unpad", Map.of(), scores, lengths(5, 5)))
        .hasMessage("length 0 is 5, tensor 'x' has 4");
    assertThatThrownBy(() -> run("unpad", Map.of(), scores, lengths(-1, -1)))
        .hasMessage("length 0 is -1, tensor 'x' has 4");
    Tensor none = floats("x", Shape.of(0, 4, 2));
    assertThat(run("unpad", Map.of(), none, lengths()).get(0).shape()).isEqualTo(Shape.of(0, 0, 2));
  }

  private static Tensor size(int... sides) {
    return ints("size", 2, sides);
  }

  private static Tensor frame(int... places) {
    return ints("frame", 4, places);
  }

  private static Tensor lengths(int... lengths) {
    return ints("length", 1, lengths);
  }

  private static Tensor ints(String name, int each, int... values) {
    ByteBuffer data = little(4 * values.length);
    data.asIntBuffer().put(values);
    return Tensor.of(name, DataType.INT32, Shape.of(values.length / each, each), data);
  }
}
