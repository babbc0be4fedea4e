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
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Steps on pictures where tiles overlap, padding is odd, and boxes or images have no area. */
final class PictureEdgesTest {

  @Test
  void shouldBlendWhatOverlapsByTheDistanceFromTheEdge() {
    // Two tiles of 4 pixels, 2 of them common: 4, 4, 4, 4 and 10, 10, 10, 10.
    float[] twice = new float[32];
    Arrays.fill(twice, 0, 16, 4);
    Arrays.fill(twice, 16, 32, 10);
    Tensor tiles = floats("tiles", Shape.of(2, 1, 4, 4), twice);
    ByteBuffer at = little(16).putInt(8, 2);
    Tensor origins = Tensor.of("origins", DataType.INT32, Shape.of(2, 2), at);
    Tensor stitched = run("stitch", Map.of(), tiles, origins, sizeOf(6, 4)).get(0);
    // Of the first the third pixel is 2 from its edge and the fourth 1, of the second 1 and 2.
    float[] blended = values(stitched);
    for (int row = 0; row < 4; row++) {
      assertThat(Arrays.copyOfRange(blended, 6 * row, 6 * row + 6))
          .containsExactly(4, 4, 6, 8, 10, 10);
    }
  }

  @ParameterizedTest
  @CsvSource({
    // tile as it was cut, side of what the model gave, image
    "8, 4, 20, no tile covers the pixel 4",
    "8, 4, 6, no tile covers the pixel 4",
    "8, 7, 20, no tile covers the pixel 7",
    "8, 9, 20, outside of 20 x 20",
  })
  void shouldRefuseToStitchWhatIsNotOfTheSizeOfItsTile(
      int tile, int given, int side, String problem) {
    Map<String, String> settings = Map.of("width", "" + tile, "height", "" + tile);
    List<Tensor> cut = run("tile", settings, picture(1, side, side));
    int count = (int) cut.get(0).shape().dim(0);
    Tensor tiles =
        floats("tiles", Shape.of(count, 1, given, given), new float[count * given * given]);

    assertThatThrownBy(() -> run("stitch", Map.of(), tiles, cut.get(1), cut.get(2)))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining(problem);
    Map<String, String> back = Map.of("width", "" + tile, "height", "" + tile);
    Tensor resized = run("resize", back, tiles.renamed("image")).get(0);
    assertThat(
            run("stitch", Map.of(), resized.renamed("tiles"), cut.get(1), cut.get(2))
                .get(0)
                .shape())
        .isEqualTo(Shape.of(1, 1, side, side));
  }

  /** Two images, padding that is odd, and a box inside: letterbox, unfit and to_source agree. */
  @Test
  void shouldBringBoxesOfSeveralImagesBackThroughOddPadding() {
    float[] many = new float[2 * 10 * 5];
    Tensor images = floats("image", Shape.of(2, 1, 5, 10), many);
    List<Tensor> fitted = run("letterbox", Map.of("width", "20", "height", "15"), images);
    assertThat(ints(fitted.get(1))).containsExactly(10, 5, 10, 5);
    // 20 x 10 of 20 x 15: 2 lines above, 3 below.
    assertThat(ints(fitted.get(2))).containsExactly(0, 2, 20, 10, 0, 2, 20, 10);
    float[] inside = {4, 6, 8, 10, 0, 2, 20, 12, 2, 4, 6, 12, 1, 3, 3, 5};
    float[] expected = {2, 2, 4, 4, 0, 0, 10, 5, 1, 1, 3, 5, 0.5f, 0.5f, 1.5f, 1.5f};

    Tensor boxes = floats("boxes", Shape.of(2, 2, 4), inside);
    assertThat(values(run("unfit", Map.of(), boxes, fitted.get(1), fitted.get(2)).get(0)))
        .containsExactly(expected);
    Map<String, String> letterbox =
        Map.of("width", "20", "height", "15", "mode", "letterbox", "boxes", "pixels");
    assertThat(values(run("to_source", letterbox, boxes, fitted.get(1)).get(0)))
        .containsExactly(expected);
  }

  /** Each image has a size and a place of its own. */
  @Test
  void shouldBringTheBoxesOfEachImageBackByItsOwnPlace() {
    ByteBuffer sides = little(16).putInt(0, 10).putInt(4, 5).putInt(8, 4).putInt(12, 8);
    Tensor size = Tensor.of("size", DataType.INT32, Shape.of(2, 2), sides);
    ByteBuffer places = little(32).putInt(4, 2).putInt(8, 20).putInt(12, 10);
    places.putInt(16, 6).putInt(24, 7).putInt(28, 14);
    Tensor frame = Tensor.of("frame", DataType.INT32, Shape.of(2, 4), places);
    Tensor boxes = floats("boxes", Shape.of(2, 1, 4), 4, 6, 8, 10, 6, 7, 9.5f, 14);

    assertThat(values(run("unfit", Map.of(), boxes, size, frame).get(0)))
        .containsExactly(2, 2, 4, 4, 0, 4, 2, 8);
    Map<String, String> letterbox =
        Map.of("width", "20", "height", "15", "mode", "letterbox", "boxes", "pixels");
    // The second image, 4 x 8, is 8 x 15 in the frame, 6 from its left edge.
    assertThat(values(run("to_source", letterbox, boxes, size).get(0)))
        .containsExactly(2, 2, 4, 4, 0, 7 * 8f / 15, 1.75f, 14 * 8f / 15);
  }

  @Test
  void shouldRefuseImagesWithoutPixelsButTakeNoImages() {
    Tensor empty = floats("image", Shape.of(1, 3, 0, 0));
    Tensor none = floats("image", Shape.of(0, 3, 0, 0));
    Map<String, String> two = Map.of("width", "2", "height", "2");
    for (String step : List.of("resize", "letterbox")) {
      assertThatThrownBy(() -> run(step, two, empty))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("the image has no pixels: [1,3,0,0]");
      assertThat(run(step, two, none).get(0).shape()).isEqualTo(Shape.of(0, 3, 2, 2));
    }
    Tensor box = floats("box", Shape.of(1, 4), 0, 0, 1, 1);
    assertThatThrownBy(() -> run("crop", two, empty, box))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("the image has no pixels: [1,3,0,0]");
    assertThat(run("crop", two, none, floats("box", Shape.of(0, 4))).get(0).shape())
        .isEqualTo(Shape.of(0, 3, 2, 2));
  }

  @Test
  void shouldCropWhatReachesBeyondAnEdgeButNotWhatLiesOutside() {
    Tensor image = picture(1, 4, 2);
    Map<String, String> two = Map.of("width", "2", "height", "1");
    Tensor beyond = floats("box", Shape.of(1, 4), 2, 1, 6, 2);
    assertThat(values(run("crop", two, image, beyond).get(0))).containsExactly(6.5f, 7);
    float[][] outside = {{4, 0, 5, 1}, {0, 2, 1, 3}, {-2, 0, 0, 1}, {0, -1, 1, 0}};
    for (float[] corners : outside) {
      assertThatThrownBy(() -> run("crop", two, image, floats("box", Shape.of(1, 4), corners)))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("box 0 has no area in the image of 4 x 2: ");
    }
  }

  @Test
  void shouldRefuseADimensionThatWasOpenAtLoadAndIsWrong() {
    Map<String, String> settings = Map.of("width", "2", "height", "2");
    Step step = Steps.onClassPath().create("conveyor.to_source", new StepSettings(0, settings));
    Tensor boxes = floats("boxes", Shape.of(1, 1, 4), 0, 0, 1, 1);
    Tensor size = Tensor.of("size", DataType.INT32, Shape.of(1, 1), little(4));
    assertThatThrownBy(() -> step.run(List.of(boxes, size), StepRuns.resources()))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("input_map.size: expected 2 as the last dimension");
    Tensor none = floats("boxes", Shape.of(0, 0, 0));
    assertThat(step.run(List.of(none, sizeOf()), StepRuns.resources()).get(0).shape())
        .isEqualTo(Shape.of(0, 0, 0));
  }

  /** Width and height of one image, or no rows. */
  private static Tensor sizeOf(int... sides) {
    ByteBuffer data = little(4 * sides.length);
    data.asIntBuffer().put(sides);
    int rows = sides.length / 2;
    return Tensor.of("size", DataType.INT32, Shape.of(rows, rows == 0 ? 0 : 2), data);
  }

  static byte[] png(int width, int height) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      ImageIO.write(new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB), "png", bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  /** Values count up from 0. */
  private static Tensor picture(int channels, int width, int height) {
    float[] values = new float[channels * width * height];
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    return floats("image", Shape.of(1, channels, height, width), values);
  }

  private static int[] ints(Tensor tensor) {
    int[] values = new int[tensor.sizeBytes() / 4];
    for (int i = 0; i < values.length; i++) {
      values[i] = tensor.data().getInt(4 * i);
    }
    return values;
  }
}
