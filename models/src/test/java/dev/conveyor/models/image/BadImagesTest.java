package dev.conveyor.models.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.config.Preprocessing.Color;
import dev.conveyor.models.config.Preprocessing.Layout;
import dev.conveyor.models.config.Preprocessing.Mode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/** What {@link ImagePreprocessor} does with images that nobody should have sent. */
final class BadImagesTest {

  private static final Preprocessing CONFIG =
      new Preprocessing(
          "image",
          Mode.RESIZE,
          8,
          8,
          Color.RGB,
          Layout.NCHW,
          DataType.FP32,
          List.of(),
          List.of(),
          0);

  private static final byte[] JPEG = TestImages.jpeg(TestImages.gradient(48, 32));
  private static final byte[] PNG = TestImages.png(TestImages.gradient(48, 32));

  private final ImagePreprocessor preprocessor = new ImagePreprocessor(CONFIG, 48 * 32);

  @Test
  void shouldRefuseTruncatedImages() {
    assertInvalid(TestImages.cut(JPEG, JPEG.length / 2), "truncated JPEG");
    assertInvalid(TestImages.cut(JPEG, JPEG.length - 1), "truncated JPEG");
    assertInvalid(TestImages.cut(PNG, PNG.length / 2), "truncated PNG");
    assertInvalid(TestImages.cut(PNG, PNG.length - 1), "truncated PNG");
  }

  @Test
  void shouldRefuseZeroBytesAndOtherFormats() {
    assertInvalid(new byte[0], "no bytes");
    assertInvalid(new byte[1000], "neither JPEG nor PNG");
    assertInvalid("BM, a bitmap, perhaps".getBytes(StandardCharsets.UTF_8), "neither JPEG nor PNG");
  }

  @Test
  void shouldRefuseCorruptData() {
    byte[] badChecksum = PNG.clone();
    badChecksum[PNG.length / 2] ^= 0x55;
    assertInvalid(badChecksum, "corrupt image");
    byte[] badTables = JPEG.clone();
    int huffmanTable = indexOf(badTables, 0xFF, 0xC4) + 5;
    Arrays.fill(badTables, huffmanTable, huffmanTable + 16, (byte) 0x7F);
    assertInvalid(badTables, "corrupt image");
  }

  @Test
  void shouldTakeAnImageOfMaxPixelsAndRefuseOneOfMore() {
    preprocessor.process(ByteBuffer.wrap(PNG), target(), 0);

    assertInvalid(
        TestImages.png(TestImages.gradient(49, 32)),
        "PNG of 49 x 32 pixels; at most 1536 pixels are decoded");
    assertInvalid(TestImages.jpeg(TestImages.gradient(48, 33)), "at most 1536 pixels");
  }

  @Test
  void shouldRefuseABombByItsHeader() {
    ImagePreprocessor generous = new ImagePreprocessor(CONFIG, 100_000_000);
    byte[] bomb = TestImages.pngThatClaims(2_000_000_000, 2_000_000_000);

    assertThatThrownBy(() -> generous.process(ByteBuffer.wrap(bomb), target(), 0))
        .hasMessage("PNG of 2000000000 x 2000000000 pixels; at most 100000000 pixels are decoded");
  }

  @Test
  void shouldRefuseAHeaderThatPromisesMoreThanThereIs() {
    ImagePreprocessor generous = new ImagePreprocessor(CONFIG, 100_000_000);
    byte[] liar = TestImages.pngThatClaims(3000, 3000);

    assertThatThrownBy(() -> generous.process(ByteBuffer.wrap(liar), target(), 0))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("corrupt image");
  }

  @Test
  void shouldRefuseCmykThatDoesNotSayHowItIsStored() {
    assertInvalid(TestImages.cmykJpeg(16, 16), "JPEG with 4 colour components (CMYK?)");
  }

  @Property(tries = 300)
  void shouldProcessOrRefuseADamagedImage(
      @ForAll boolean jpeg, @ForAll @IntRange(max = 100_000) int where, @ForAll byte value) {
    byte[] image = (jpeg ? JPEG : PNG).clone();
    image[where % image.length] = value;

    try {
      preprocessor.process(ByteBuffer.wrap(image), target(), 0);
    } catch (InferenceException e) {
      assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST);
    }
  }

  private void assertInvalid(byte[] image, String message) {
    assertThatThrownBy(() -> preprocessor.process(ByteBuffer.wrap(image), target(), 0))
        .hasMessageContaining(message)
        .isInstanceOfSatisfying(
            InferenceException.class,
            e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST));
  }

  private static int indexOf(byte[] bytes, int first, int second) {
    int i = 0;
    while (bytes[i] != (byte) first || bytes[i + 1] != (byte) second) {
      i++;
    }
    return i;
  }

  private ByteBuffer target() {
    return ByteBuffer.allocate(preprocessor.outputBytesPerImage());
  }
}
