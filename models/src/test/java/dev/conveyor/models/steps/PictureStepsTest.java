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
import dev.conveyor.models.config.ConfigException;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Random;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Steps between pictures of all sizes and models of one: each with its inverse, where it has one.
 */
final class PictureStepsTest {

  @Test
  void shouldDecodeInTheSizeAndOrderAskedFor() throws IOException {
    Tensor photo = BytesTensors.of("image", Shape.of(1), List.of(png(3, 2)));

    Tensor pixels = run("decode", Map.of(), photo).get(0);
    assertThat(pixels.type()).isEqualTo(DataType.UINT8);
    assertThat(pixels.shape()).isEqualTo(Shape.of(1, 3, 2, 3));
    // Red is 10 x, green 20 y, blue 7.
    assertThat(pixels.data().get(2)).isEqualTo((byte) 20);
    assertThat(pixels.data().get(6 + 3)).isEqualTo((byte) 20);
    assertThat(pixels.data().get(12)).isEqualTo((byte) 7);

    Tensor last =
        run("decode", Map.of("layout", "NHWC", "color", "BGR", "type", "FP32"), photo).get(0);
    assertThat(last.shape()).isEqualTo(Shape.of(1, 2, 3, 3));
    assertThat(values(last)).startsWith(7, 0, 0, 7, 0, 10);
  }

  @Test
  void shouldDecodeMixedSizesToTheInputOfAModel() throws IOException {
    Tensor mixed = BytesTensors.of("image", Shape.of(2), List.of(png(4, 2), png(8, 4)));
    Map<String, String> toModel =
        Map.of("width", "4", "height", "2", "type", "FP32", "mean", "7", "scale", "0.5,1,2");

    Tensor pixels = run("decode", toModel, mixed).get(0);

    assertThat(pixels.shape()).isEqualTo(Shape.of(2, 3, 2, 4));
    // Of the first, red is 10 x, green 20 y, blue 7.
    assertThat(values(pixels)).startsWith(-3.5f, 1.5f, 6.5f, 11.5f);
    assertThat(values(pixels)[8 + 4]).isEqualTo(13);
    assertThat(values(pixels)[16]).isZero();
    // Of the second, four pixels each are one: red between 0 and 10.
    assertThat(values(pixels)[24]).isEqualTo(-1);

    Map<String, String> letterbox = Map.of("width", "4", "height", "4", "mode", "LETTERBOX");
    Tensor padded = run("decode", letterbox, mixed).get(0);
    assertThat(padded.shape()).isEqualTo(Shape.of(2, 3, 4, 4));
    assertThat(padded.data().get(32 + 3)).as("above the image").isZero();
    assertThat(padded.data().get(32 + 4)).as("blue in it").isEqualTo((byte) 7);
  }

  @Test
  void shouldRefuseToDecodeToHalfASizeOrWithNumbersForOtherChannels() {
    assertThatThrownBy(() -> run("decode", Map.of("width", "4")))
        .hasMessageContaining("height")
        .hasMessageContaining("both width and height, or neither");
    assertThatThrownBy(() -> run("decode", Map.of("mean", "1,2")))
        .hasMessageContaining("1 number or one for each of 3 channels");
  }

  @Test
  void shouldRefuseToDecodeMixedSizesRubbishAndTooMuch() throws IOException {
    Tensor mixed = BytesTensors.of("image", Shape.of(2), List.of(png(3, 2), png(2, 2)));
    assertThatThrownBy(() -> run("decode", Map.of(), mixed))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("image 0 has 3 x 2 pixels and image 1 has 2 x 2: take them apart");
    Tensor rubbish = BytesTensors.of("image", Shape.of(1), List.of(new byte[] {1, 2, 3}));
    assertThatThrownBy(() -> run("decode", Map.of(), rubbish))
        .isInstanceOf(InferenceException.class);
    Tensor large = BytesTensors.of("image", Shape.of(1), List.of(png(3, 2)));
    assertThatThrownBy(() -> run("decode", Map.of("max_pixels", "5"), large))
        .hasMessageContaining("3 x 2 pixels, max_pixels=5");
    assertThatThrownBy(
            () -> run("decode", Map.of(), BytesTensors.of("image", Shape.of(0), List.of())))
        .hasMessageContaining("no image");
  }

  @ParameterizedTest
  @CsvSource({
    // mode, width, height, bucket, x, y, width and height inside of it
    "PAD, 30, 20, 32, 32, 0, 0, 30, 20",
    "PAD, 33, 20, 64, 32, 0, 0, 33, 20",
    "PAD, 128, 32, 64, 32, 0, 0, 64, 16",
    "LETTERBOX, 100, 50, 64, 32, 0, 0, 64, 32",
    "LETTERBOX, 100, 80, 32, 32, 0, 3, 32, 26",
    "RESIZE, 100, 60, 64, 32, 0, 0, 64, 32",
    "RESIZE, 1, 1, 32, 32, 0, 0, 32, 32",
  })
  void shouldChooseTheSizeThatWastesLeastAndBringBoxesBack(
      String mode, int width, int height, int toWidth, int toHeight, int x, int y, int w, int h) {
    Tensor image = picture(1, width, height);
    List<Tensor> fitted =
        run("fit", Map.of("mode", mode, "sizes", "64x32, 32x32", "value", "-1"), image);

    assertThat(fitted.get(0).shape()).isEqualTo(Shape.of(1, 1, toHeight, toWidth));
    assertThat(ints(fitted.get(1))).containsExactly(width, height);
    assertThat(ints(fitted.get(2))).containsExactly(x, y, w, h);
    int padding = 0;
    for (float value : values(fitted.get(0))) {
      padding += value == -1 ? 1 : 0;
    }
    assertThat(padding).isEqualTo(toWidth * toHeight - w * h);

    Tensor whole = floats("boxes", Shape.of(1, 1, 4), x, y, x + w, y + h);
    Tensor back = run("unfit", Map.of(), whole, fitted.get(1), fitted.get(2)).get(0);
    assertThat(values(back)).containsExactly(0, 0, width, height);
  }

  @Test
  void shouldLetterboxWithoutChangingWhatFits() {
    Tensor image = picture(2, 4, 2);
    List<Tensor> fitted = run("letterbox", Map.of("width", "4", "height", "4"), image);

    assertThat(values(fitted.get(0)))
        .containsExactly(
            0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0, 8, 9, 10, 11, 12, 13, 14,
            15, 0, 0, 0, 0);
    assertThatThrownBy(() -> run("letterbox", Map.of("width", "4"), image))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("parameters.step[3].height: expected a size in pixels");
    assertThatThrownBy(() -> run("fit", Map.of("sizes", "4x"), image))
        .hasMessageContaining("parameters.step[3].sizes: expected sizes such as");
  }

  @Test
  void shouldNormalizePerChannelInBothLayouts() {
    Map<String, String> settings = Map.of("mean", "1,2", "scale", "10");
    assertThat(values(run("normalize", settings, picture(2, 2, 1)).get(0)))
        .containsExactly(-10, 0, 0, 10);
    Tensor last = picture(1, 2, 1).reshaped(Shape.of(1, 1, 1, 2));
    Map<String, String> inLast = Map.of("mean", "1,2", "scale", "10", "layout", "NHWC");
    assertThat(values(run("normalize", inLast, last).get(0))).containsExactly(-10, -10);
    assertThatThrownBy(() -> run("normalize", Map.of("mean", "1,2,3"), picture(2, 2, 1)))
        .hasMessageContaining("step[3].mean: expected 1 number or one for each of 2 channels");
    assertThatThrownBy(() -> run("normalize", Map.of("scale", "a"), picture(2, 2, 1)))
        .hasMessageContaining("step[3].scale: expected numbers such as");
  }

  @Test
  void shouldConvertLayoutColourAndTypeAndBack() {
    Tensor image = picture(3, 2, 1);
    Tensor last = run("convert", Map.of("to", "NHWC", "color", "swap"), image).get(0);
    assertThat(last.shape()).isEqualTo(Shape.of(1, 1, 2, 3));
    assertThat(values(last)).containsExactly(4, 2, 0, 5, 3, 1);
    Tensor back = run("convert", Map.of("from", "NHWC", "color", "swap"), last).get(0);
    assertThat(values(back)).containsExactly(0, 1, 2, 3, 4, 5);
    Tensor grey = run("convert", Map.of("color", "gray", "type", "UINT8"), image).get(0);
    assertThat(grey.shape()).isEqualTo(Shape.of(1, 1, 1, 2));
    // 0.587 * 2 + 0.114 * 4 and one more, rounded.
    assertThat(grey.data().get(0)).isEqualTo((byte) 2);
    assertThat(grey.data().get(1)).isEqualTo((byte) 3);
    assertThatThrownBy(() -> run("convert", Map.of("color", "gray"), picture(2, 2, 1)))
        .hasMessageContaining("3 channels");
  }

  @ParameterizedTest
  @CsvSource({"17, 11, 5, 2", "4, 4, 5, 2", "5, 5, 5, 0", "7680, 9, 512, 64", "6, 3, 3, 2"})
  void shouldStitchWhatItTiled(int width, int height, int tile, int overlap) {
    Tensor image = picture(2, width, height);
    Map<String, String> settings =
        Map.of("width", "" + tile, "height", "" + tile, "overlap", "" + overlap);
    List<Tensor> tiles = run("tile", settings, image);

    int[] origins = TileSteps.origins(width, tile, overlap);
    for (int i = 1; i < origins.length; i++) {
      assertThat(origins[i] - origins[i - 1]).isBetween(1, tile - overlap);
    }
    assertThat(origins[origins.length - 1] + tile).isGreaterThanOrEqualTo(width);
    Tensor stitched = run("stitch", Map.of(), tiles.get(0), tiles.get(1), tiles.get(2)).get(0);
    assertThat(stitched.shape()).isEqualTo(image.shape());
    // Where tiles overlap they agree, so nothing is rounded.
    assertThat(values(stitched)).isEqualTo(values(image));
  }

  @Test
  void shouldTakeAnImageOf8kApartAndPutItTogether() {
    // 7680 x 4320 with tiles of 512 and 64 pixels in common: 17 x 10.
    assertThat(TileSteps.origins(7680, 512, 64)).hasSize(17).endsWith(7168);
    assertThat(TileSteps.origins(4320, 512, 64)).hasSize(10).endsWith(3808);
    ByteBuffer bytes = ByteBuffer.allocate(7680 * 4320);
    new Random(1).nextBytes(bytes.array());
    Tensor image = Tensor.of("image", DataType.UINT8, Shape.of(1, 1, 4320, 7680), bytes);
    List<Tensor> tiles =
        run("tile", Map.of("width", "512", "height", "512", "overlap", "64"), image);
    assertThat(tiles.get(0).shape()).isEqualTo(Shape.of(170, 1, 512, 512));
    for (int t : new int[] {0, 16, 93, 169}) {
      int x = ints(tiles.get(1))[2 * t];
      int y = ints(tiles.get(1))[2 * t + 1];
      assertThat(tiles.get(0).data().get((t * 512 + 511) * 512 + 3))
          .isEqualTo(bytes.get((y + 511) * 7680 + x + 3));
    }
  }

  @Test
  void shouldMoveBoxesOfTilesToTheImage() {
    Tensor boxes = floats("boxes", Shape.of(2, 1, 4), 1, 2, 3, 4, 1, 2, 3, 4);
    Tensor scores = floats("scores", Shape.of(2, 1, 2), 0.1f, 0.9f, 0.2f, 0.8f);
    ByteBuffer at = little(16).putInt(0, 0).putInt(4, 0).putInt(8, 100).putInt(12, 50);
    Tensor origins = Tensor.of("origins", DataType.INT32, Shape.of(2, 2), at);

    List<Tensor> all = run("stitch_boxes", Map.of(), boxes, scores, origins);
    assertThat(values(all.get(0))).containsExactly(1, 2, 3, 4, 101, 52, 103, 54);
    assertThat(all.get(0).shape()).isEqualTo(Shape.of(1, 2, 4));
    assertThat(all.get(1).shape()).isEqualTo(Shape.of(1, 2, 2));
    Tensor none = floats("boxes", Shape.of(0, 1, 4));
    List<Tensor> nothing =
        run(
            "stitch_boxes",
            Map.of(),
            none,
            floats("scores", Shape.of(0, 1, 2)),
            Tensor.of("origins", DataType.INT32, Shape.of(0, 2), little(0)));
    assertThat(nothing.get(0).shape()).isEqualTo(Shape.of(1, 0, 4));
  }

  @Test
  void shouldTakeWhatIsRealOfAPaddedList() {
    Tensor x = floats("x", Shape.of(1, 3, 2), 1, 2, 3, 4, 0, 0);
    Tensor y = run("take", Map.of(), x, count(2)).get(0);
    assertThat(y.shape()).isEqualTo(Shape.of(2, 2));
    assertThat(values(y)).containsExactly(1, 2, 3, 4);
    assertThat(run("take", Map.of(), x, count(0)).get(0).shape()).isEqualTo(Shape.of(0, 2));
    assertThatThrownBy(() -> run("take", Map.of(), x, count(4)))
        .hasMessageContaining("count is 4, tensor 'x' has 3 rows");
    assertThatThrownBy(() -> run("take", Map.of(), x, count(-1)))
        .isInstanceOf(InferenceException.class);
  }

  @Test
  void shouldPadToTheNextLengthAndSayWhatIsReal() {
    Tensor x = floats("x", Shape.of(2, 3), 1, 2, 3, 4, 5, 6);
    List<Tensor> padded = run("pad", Map.of("lengths", "8,4"), x);
    assertThat(values(padded.get(0))).containsExactly(1, 2, 3, 0, 4, 5, 6, 0);
    assertThat(padded.get(1).data().getLong(16)).isEqualTo(1);
    assertThat(padded.get(1).data().getLong(24)).isZero();
    assertThat(ints(padded.get(2))).containsExactly(3, 3);
    assertThatThrownBy(() -> run("pad", Map.of("lengths", "1,2"), x))
        .hasMessageContaining("length 3, the largest of lengths is 2");
    assertThatThrownBy(() -> run("pad", Map.of("lengths", "many"), x))
        .hasMessageContaining("step[3].lengths: expected lengths such as");
  }

  @Test
  void shouldCutAndResizeBytesAsBytes() {
    ByteBuffer bytes = ByteBuffer.wrap(new byte[] {0, (byte) 200, 100, (byte) 250});
    Tensor image = Tensor.of("image", DataType.UINT8, Shape.of(1, 1, 2, 2), bytes);
    Tensor one = run("resize", Map.of("width", "1", "height", "1"), image).get(0);
    assertThat(one.type()).isEqualTo(DataType.UINT8);
    assertThat(one.data().get(0) & 0xFF).isEqualTo(138); // 137.5
  }

  private static byte[] png(int width, int height) throws IOException {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        image.setRGB(x, y, ((10 * x) << 16) | ((20 * y) << 8) | 7);
      }
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageIO.write(image, "png", bytes);
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

  private static Tensor count(int value) {
    return Tensor.of("count", DataType.INT32, Shape.of(1, 1), little(4).putInt(0, value));
  }

  private static int[] ints(Tensor tensor) {
    int[] values = new int[tensor.sizeBytes() / 4];
    for (int i = 0; i < values.length; i++) {
      values[i] = tensor.data().getInt(4 * i);
    }
    return values;
  }
}
