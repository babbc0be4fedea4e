package dev.conveyor.models.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.config.Preprocessing.Color;
import dev.conveyor.models.config.Preprocessing.Layout;
import dev.conveyor.models.config.Preprocessing.Mode;
import dev.conveyor.models.config.Preprocessing.Size;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.bytedeco.opencv.global.opencv_core;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ImagePreprocessorTest {

  private static final long MAX_PIXELS = 10_000_000;

  /** OpenCV interpolates with 11 bits of fixed point. */
  private static final float ONE_LEVEL = 1f;

  @ParameterizedTest
  @CsvSource({
    "64,48,32,24",
    "50,37,61,83",
    "40,30,40,30",
    "200,3,7,9",
    "1,1,5,4",
    "300,200,224,224"
  })
  void shouldResizeAsBilinearInterpolationDoes(int width, int height, int toWidth, int toHeight) {
    BufferedImage image = TestImages.gradient(width, height);
    ImagePreprocessor preprocessor =
        preprocessor(Mode.RESIZE, toHeight, toWidth, Color.RGB, Layout.NCHW, DataType.FP32);

    float[] actual = floats(preprocessor, TestImages.png(image));

    for (int c = 0; c < 3; c++) {
      for (int y = 0; y < toHeight; y++) {
        for (int x = 0; x < toWidth; x++) {
          float expected = bilinear(image, x, y, toWidth, toHeight, c);
          assertThat(actual[(c * toHeight + y) * toWidth + x])
              .as("channel %d at %d, %d", c, x, y)
              .isCloseTo(expected, within(ONE_LEVEL));
        }
      }
    }
  }

  /** Light that is left over: of each ink times that of black. */
  @ParameterizedTest
  @CsvSource({
    "255,255,255,255, 255,255,255",
    "255,0,0,255, 255,0,0",
    "0,255,0,255, 0,255,0",
    "255,255,255,0, 0,0,0",
    "200,100,50,128, 100,50,25"
  })
  void shouldTakeCmykAsAdobeStoresIt(int c, int m, int y, int k, int red, int green, int blue) {
    byte[] image = TestImages.adobeCmykJpeg(16, 16, c, m, y, k);
    List<Double> mean = List.of(0.0, 0.0, 0.0);
    List<Double> scale = List.of(1.0, 1.0, 1.0);

    float[] pixel = pixel(config(Color.RGB, mean, scale), image);
    assertThat(pixel[0]).isCloseTo(red, within(3f));
    assertThat(pixel[1]).isCloseTo(green, within(3f));
    assertThat(pixel[2]).isCloseTo(blue, within(3f));
  }

  @Test
  void shouldNormaliseEachChannelInTheOrderOfTheColours() {
    byte[] image = TestImages.png(TestImages.solid(4, 4, 0x0A141E));
    List<Double> mean = List.of(10.0, 10.0, 20.0);
    List<Double> scale = List.of(1.0, 0.5, 0.125);

    assertThat(pixel(config(Color.RGB, mean, scale), image)).containsExactly(0f, 5f, 1.25f);
    assertThat(pixel(config(Color.BGR, mean, scale), image)).containsExactly(20f, 5f, -1.25f);
  }

  @Test
  void shouldInterleaveOrSeparateChannels() {
    byte[] image = TestImages.png(TestImages.halves(2, 1, 0x010203, 0x040506));

    assertThat(floats(small(Color.RGB, Layout.NHWC, DataType.FP32), image))
        .containsExactly(1, 2, 3, 4, 5, 6);
    assertThat(floats(small(Color.RGB, Layout.NCHW, DataType.FP32), image))
        .containsExactly(1, 4, 2, 5, 3, 6);
    assertThat(bytes(small(Color.BGR, Layout.NHWC, DataType.UINT8), image))
        .containsExactly(3, 2, 1, 6, 5, 4);
    assertThat(bytes(small(Color.BGR, Layout.NCHW, DataType.UINT8), image))
        .containsExactly(3, 6, 2, 5, 1, 4);
  }

  @Test
  void shouldRoundAndSaturateBytes() {
    byte[] image = TestImages.png(TestImages.solid(1, 1, 0x0164FF));
    Preprocessing config =
        new Preprocessing(
            "image",
            Mode.RESIZE,
            1,
            1,
            Color.RGB,
            Layout.NHWC,
            DataType.UINT8,
            List.of(2.0, 0.0, 0.0),
            List.of(1.0, 0.505, 1.5),
            0);

    assertThat(bytes(new ImagePreprocessor(config, MAX_PIXELS), image))
        .containsExactly(0, 51, (byte) 255);
  }

  @Test
  void shouldLetterboxInTheMiddleWithThePadValue() {
    byte[] image = TestImages.png(TestImages.solid(20, 10, 0xC8C8C8));
    Preprocessing config =
        new Preprocessing(
            "image",
            Mode.LETTERBOX,
            9,
            8,
            Color.GRAY,
            Layout.NHWC,
            DataType.UINT8,
            List.of(),
            List.of(),
            114);

    byte[] pixels = bytes(new ImagePreprocessor(config, MAX_PIXELS), image);

    for (int y = 0; y < 9; y++) {
      for (int x = 0; x < 8; x++) {
        int expected = y >= 2 && y < 6 ? 200 : 114;
        assertThat(pixels[y * 8 + x] & 0xFF).as("row %d", y).isEqualTo(expected);
      }
    }
  }

  @Test
  void shouldNormaliseThePaddingToo() {
    byte[] image = TestImages.png(TestImages.solid(10, 20, 0xFFFFFF));
    Preprocessing config =
        new Preprocessing(
            "image",
            Mode.LETTERBOX,
            4,
            4,
            Color.RGB,
            Layout.NCHW,
            DataType.FP32,
            List.of(127.0, 127.0, 127.0),
            List.of(0.5, 0.5, 0.5),
            27);

    float[] values = floats(new ImagePreprocessor(config, MAX_PIXELS), image);

    assertThat(java.util.Arrays.copyOf(values, 4)).containsExactly(-50f, 64f, 64f, -50f);
    assertThat(java.util.Arrays.copyOfRange(values, 44, 48)).containsExactly(-50f, 64f, 64f, -50f);
  }

  @Test
  void shouldWeighColoursToGray() {
    ImagePreprocessor preprocessor = small(Color.GRAY, Layout.NCHW, DataType.FP32);
    byte[] image = TestImages.png(TestImages.halves(2, 1, 0xFF0000, 0x00FF00));

    float[] gray = floats(preprocessor, image);

    assertThat(preprocessor.outputShape()).isEqualTo(Shape.of(1, 1, 2));
    assertThat(gray[0]).isCloseTo(0.299f * 255, within(ONE_LEVEL));
    assertThat(gray[1]).isCloseTo(0.587f * 255, within(ONE_LEVEL));
  }

  @Test
  void shouldReadGrayAlphaPaletteAnd16BitPngs() {
    ImagePreprocessor preprocessor = small(Color.RGB, Layout.NHWC, DataType.UINT8);
    BufferedImage gray = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_GRAY);
    gray.getRaster().setSample(1, 0, 0, 99);
    BufferedImage deep = new BufferedImage(2, 1, BufferedImage.TYPE_USHORT_GRAY);
    deep.getRaster().setSample(1, 0, 0, 0x6340);
    BufferedImage alpha = new BufferedImage(2, 1, BufferedImage.TYPE_INT_ARGB);
    alpha.setRGB(1, 0, 0x01636363);
    BufferedImage palette = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_INDEXED);
    palette.setRGB(1, 0, 0xFFFF0033);

    assertThat(bytes(preprocessor, TestImages.png(gray))).containsExactly(0, 0, 0, 99, 99, 99);
    assertThat(bytes(preprocessor, TestImages.png(deep))).containsExactly(0, 0, 0, 99, 99, 99);
    assertThat(bytes(preprocessor, TestImages.png(alpha))).containsExactly(0, 0, 0, 99, 99, 99);
    assertThat(bytes(preprocessor, TestImages.png(palette)))
        .containsExactly(0, 0, 0, (byte) 255, 0, 0x33);
  }

  @Test
  void shouldDecodeBaselineAndProgressiveJpegsAlike() {
    BufferedImage image = TestImages.gradient(64, 48);
    ImagePreprocessor preprocessor =
        preprocessor(Mode.RESIZE, 24, 32, Color.RGB, Layout.NHWC, DataType.FP32);

    float[] exact = floats(preprocessor, TestImages.png(image));
    float[] baseline = floats(preprocessor, TestImages.jpeg(image));
    float[] progressive = floats(preprocessor, TestImages.progressiveJpeg(image));

    assertThat(baseline).containsExactly(exact, within(6f));
    assertThat(progressive).containsExactly(baseline, within(ONE_LEVEL));
  }

  @Test
  void shouldTurnAnImageAsItsExifOrientationSays() {
    byte[] jpeg = TestImages.jpeg(TestImages.halves(32, 32, 0xFF0000, 0x0000FF));
    ImagePreprocessor preprocessor =
        preprocessor(Mode.RESIZE, 2, 2, Color.RGB, Layout.NHWC, DataType.FP32);

    float[] upright = floats(preprocessor, jpeg);
    float[] turned = floats(preprocessor, TestImages.withOrientation(jpeg, 6));

    assertThat(upright[0]).isGreaterThan(200);
    assertThat(upright[6]).as("lower left, red").isGreaterThan(200);
    assertThat(turned[0]).isGreaterThan(200);
    assertThat(turned[6]).as("lower left, red").isLessThan(50);
  }

  /** What says how large a decoded image will be must agree with what decodes it. */
  @Test
  void shouldFindTheSizeOfATurnedPngAsItIsDecoded() {
    byte[] png = TestImages.png(TestImages.halves(32, 16, 0xFF0000, 0x0000FF));
    ImagePreprocessor pad = preprocessor(Mode.PAD, 32, 32, Color.RGB, Layout.NHWC, DataType.UINT8);
    for (int orientation : new int[] {1, 3, 6, 8}) {
      for (int at : new int[] {33, png.length - 12}) {
        byte[] turned = TestImages.pngWithOrientation(png, orientation, at);
        ByteBuffer encoded = ByteBuffer.wrap(turned);
        ByteBuffer pixels = ByteBuffer.allocate(pad.outputBytesPerImage());
        Placement placed = pad.process(encoded, new Size(32, 32), pixels, 0);

        assertThat(ImagePreprocessor.sizeOf(encoded))
            .as("orientation %d at %d", orientation, at)
            .isEqualTo(placed.source());
      }
    }
  }

  @Test
  void shouldReadAndWriteHeapAndNativeMemoryAtAnyOffset() {
    byte[] png = TestImages.png(TestImages.gradient(20, 20));
    ImagePreprocessor preprocessor =
        preprocessor(Mode.RESIZE, 5, 5, Color.RGB, Layout.NCHW, DataType.FP32);
    float[] expected = floats(preprocessor, png);
    int bytes = preprocessor.outputBytesPerImage();

    for (boolean direct : new boolean[] {false, true}) {
      ByteBuffer encoded = allocate(direct, png.length + 9).put(9, png).position(9);
      ByteBuffer target = allocate(!direct, bytes + 6).order(ByteOrder.BIG_ENDIAN);
      preprocessor.process(encoded.asReadOnlyBuffer(), target, 3);

      float[] actual = new float[expected.length];
      target.slice(3, bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(actual);
      assertThat(actual).containsExactly(expected);
      assertThat(target.getShort(0)).isZero();
      assertThat(target.getShort(bytes + 4)).isZero();
      assertThat(target.position()).isZero();
    }
  }

  @Test
  void shouldGiveTheSameToSeveralThreadsAtOnce() throws Exception {
    byte[] jpeg = TestImages.jpeg(TestImages.gradient(320, 240));
    ImagePreprocessor preprocessor =
        preprocessor(Mode.LETTERBOX, 64, 64, Color.RGB, Layout.NCHW, DataType.FP32);
    float[] expected = floats(preprocessor, jpeg);
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Callable<float[]>> calls = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        calls.add(() -> floats(preprocessor, jpeg));
      }
      for (Future<float[]> result : threads.invokeAll(calls)) {
        assertThat(result.get()).containsExactly(expected);
      }
    } finally {
      threads.shutdownNow();
    }
    assertThat(opencv_core.getNumThreads()).isEqualTo(1);
  }

  @Test
  void shouldDecodeRealPhotos() throws IOException {
    ImagePreprocessor preprocessor =
        preprocessor(Mode.RESIZE, 240, 320, Color.RGB, Layout.NCHW, DataType.FP32);

    for (String photo : List.of("crowd.jpg", "dog-cat.jpg", "portrait.jpg")) {
      float[] values = floats(preprocessor, Photos.read(photo));
      double sum = 0;
      for (float value : values) {
        sum += value;
      }
      assertThat(sum / values.length).as(photo).isBetween(20.0, 235.0);
    }
  }

  @Test
  void shouldRefuseTargetsThatNoBufferHolds() {
    assertThatThrownBy(
            () -> preprocessor(Mode.RESIZE, 40_000, 40_000, Color.RGB, Layout.NCHW, DataType.FP32))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("40000 x 40000");
  }

  /** Interpolates between pixel centres, with the border repeated outside. */
  private static float bilinear(
      BufferedImage image, int x, int y, int toWidth, int toHeight, int channel) {
    double fromX = centre(x, image.getWidth(), toWidth);
    double fromY = centre(y, image.getHeight(), toHeight);
    int left = (int) fromX;
    int top = (int) fromY;
    int right = Math.min(left + 1, image.getWidth() - 1);
    int bottom = Math.min(top + 1, image.getHeight() - 1);
    double weightX = fromX - left;
    double weightY = fromY - top;
    double upper =
        level(image, left, top, channel) * (1 - weightX)
            + level(image, right, top, channel) * weightX;
    double lower =
        level(image, left, bottom, channel) * (1 - weightX)
            + level(image, right, bottom, channel) * weightX;
    return (float) (upper * (1 - weightY) + lower * weightY);
  }

  private static double centre(int index, int fromSize, int toSize) {
    double at = (index + 0.5) * fromSize / toSize - 0.5;
    return Math.max(0, Math.min(fromSize - 1, at));
  }

  private static int level(BufferedImage image, int x, int y, int channel) {
    return image.getRGB(x, y) >> (16 - 8 * channel) & 0xFF;
  }

  private static ImagePreprocessor small(Color color, Layout layout, DataType type) {
    return preprocessor(Mode.RESIZE, 1, 2, color, layout, type);
  }

  private static ImagePreprocessor preprocessor(
      Mode mode, int height, int width, Color color, Layout layout, DataType type) {
    return new ImagePreprocessor(
        new Preprocessing(
            "image", mode, height, width, color, layout, type, List.of(), List.of(), 0),
        MAX_PIXELS);
  }

  private static Preprocessing config(Color color, List<Double> mean, List<Double> scale) {
    return new Preprocessing(
        "image", Mode.RESIZE, 1, 1, color, Layout.NCHW, DataType.FP32, mean, scale, 0);
  }

  private static float[] pixel(Preprocessing config, byte[] image) {
    return floats(new ImagePreprocessor(config, MAX_PIXELS), image);
  }

  private static float[] floats(ImagePreprocessor preprocessor, byte[] image) {
    ByteBuffer target = ByteBuffer.allocateDirect(preprocessor.outputBytesPerImage());
    preprocessor.process(ByteBuffer.wrap(image), target, 0);
    float[] values = new float[target.capacity() / Float.BYTES];
    target.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  private static byte[] bytes(ImagePreprocessor preprocessor, byte[] image) {
    ByteBuffer target = ByteBuffer.allocate(preprocessor.outputBytesPerImage());
    preprocessor.process(ByteBuffer.wrap(image), target, 0);
    return target.array();
  }

  private static ByteBuffer allocate(boolean direct, int bytes) {
    return direct ? ByteBuffer.allocateDirect(bytes) : ByteBuffer.allocate(bytes);
  }
}
