package dev.conveyor.models.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.image.ImageHeader.Format;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ImageHeaderTest {

  private static final byte[] JPEG = TestImages.jpeg(TestImages.gradient(40, 30));
  private static final byte[] PROGRESSIVE = TestImages.progressiveJpeg(TestImages.gradient(40, 30));
  private static final byte[] PNG = TestImages.png(TestImages.gradient(40, 30));

  @Test
  void shouldReadSizeAndFormat() {
    assertThat(read(JPEG)).isEqualTo(new ImageHeader(Format.JPEG, 40, 30, 3));
    assertThat(read(PROGRESSIVE)).isEqualTo(new ImageHeader(Format.JPEG, 40, 30, 3));
    assertThat(read(PNG)).isEqualTo(new ImageHeader(Format.PNG, 40, 30, 3));
    assertThat(read(TestImages.cmykJpeg(9, 7))).isEqualTo(new ImageHeader(Format.JPEG, 9, 7, 4));
    BufferedImage alpha = new BufferedImage(5, 6, BufferedImage.TYPE_INT_ARGB);
    assertThat(read(TestImages.png(alpha))).isEqualTo(new ImageHeader(Format.PNG, 5, 6, 4));
    BufferedImage gray = new BufferedImage(5, 6, BufferedImage.TYPE_BYTE_GRAY);
    assertThat(read(TestImages.png(gray))).isEqualTo(new ImageHeader(Format.PNG, 5, 6, 1));
  }

  @Test
  void shouldReadFromThePositionOfADirectBufferAndLeaveItThere() {
    ByteBuffer buffer = ByteBuffer.allocateDirect(PNG.length + 7).position(5).put(PNG);
    buffer.position(5).limit(5 + PNG.length);

    assertThat(ImageHeader.read(buffer).width()).isEqualTo(40);
    assertThat(ImageHeader.readComplete(buffer).height()).isEqualTo(30);
    assertThat(buffer.position()).isEqualTo(5);
  }

  @ParameterizedTest
  @ValueSource(ints = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCF})
  void shouldReadEveryKindOfFrame(int marker) {
    assertThat(read(frame(marker, 65535, 258)))
        .isEqualTo(new ImageHeader(Format.JPEG, 65535, 258, 3));
  }

  @ParameterizedTest
  @ValueSource(ints = {0xC4, 0xC8, 0xCC, 0xE0, 0xFE})
  void shouldNotTakeOtherSegmentsForAFrame(int marker) {
    assertInvalid(() -> read(frame(marker, 65535, 258)), "truncated JPEG");
  }

  @Test
  void shouldPassOverFillBytesBeforeAMarker() {
    byte[] filled = bytes(0xFF, 0xD8, 0xFF, 0xFF, 0xFF, 0xC0, 0, 8, 8, 0, 2, 0, 3, 1);

    assertThat(read(filled)).isEqualTo(new ImageHeader(Format.JPEG, 3, 2, 1));
  }

  @Test
  void shouldNotOverflowWhenCountingPixels() {
    assertThat(new ImageHeader(Format.PNG, Integer.MAX_VALUE, Integer.MAX_VALUE, 3).pixels())
        .isEqualTo(4611686014132420609L);
  }

  @Test
  void shouldRefuseWhatIsNoImage() {
    assertInvalid(() -> read(new byte[0]), "no bytes");
    assertInvalid(() -> read(bytes(0xFF, 0xD8)), "neither JPEG nor PNG");
    assertInvalid(() -> read(bytes('G', 'I', 'F', '8', '9', 'a', 1, 0, 1, 0)), "neither JPEG");
    assertInvalid(() -> read(new byte[100]), "neither JPEG nor PNG");
  }

  @Test
  void shouldRefuseSizesOfNothingAndOfTooMuch() {
    assertInvalid(() -> read(frame(0xC0, 0, 5)), "0 x 5 pixels");
    assertInvalid(() -> read(frame(0xC0, 5, 0)), "5 x 0 pixels");
    assertInvalid(() -> read(TestImages.pngThatClaims(0, 9)), "0 x 9 pixels");
    assertInvalid(() -> read(TestImages.pngThatClaims(9, -1)), "9 x 4294967295 pixels");
    assertThat(read(TestImages.pngThatClaims(Integer.MAX_VALUE, 9)).width())
        .isEqualTo(Integer.MAX_VALUE);
  }

  @Test
  void shouldRefuseContradictions() {
    assertInvalid(() -> read(bytes(0xFF, 0xD8, 0xFF, 0xD9)), "ends without an image");
    assertInvalid(() -> read(bytes(0xFF, 0xD8, 0xFF, 0xD8, 0xFF)), "second start");
    assertInvalid(() -> read(bytes(0xFF, 0xD8, 0xFF, 0xE0, 0, 1, 0)), "segment of 1 bytes");
    byte[] noData = TestImages.cut(PNG, 33 + 12);
    System.arraycopy(PNG, PNG.length - 12, noData, 33, 12);
    assertInvalid(() -> complete(noData), "ends without image data");
    byte[] colors = PNG.clone();
    colors[25] = 5;
    assertInvalid(() -> read(colors), "colour type 5");
    byte[] damaged = PNG.clone();
    damaged[4] = 0;
    assertInvalid(() -> read(damaged), "signature");
  }

  @Test
  void shouldRefuseEveryTruncationButAcceptTheWholeAndWhatFollowsIt() {
    for (byte[] image : new byte[][] {JPEG, PROGRESSIVE, PNG}) {
      for (int length = 0; length < image.length; length++) {
        byte[] part = TestImages.cut(image, length);
        assertThat(catchThrowable(() -> complete(part)))
            .as("%d of %d bytes", length, image.length)
            .isInstanceOf(InferenceException.class);
      }
      assertThat(complete(image).width()).isEqualTo(40);
      assertThat(complete(Arrays.copyOf(image, image.length + 100)).width()).isEqualTo(40);
    }
  }

  @Test
  void shouldNotTakeTheEndOfAThumbnailForTheEndOfTheImage() {
    byte[] thumbnail = bytes(0xFF, 0xD8, 0xFF, 0xE1, 0, 6, 0xFF, 0xDA, 0xFF, 0xD9);
    byte[] whole = concat(thumbnail, TestImages.cut(JPEG, JPEG.length), 2);

    assertThat(complete(whole).width()).isEqualTo(40);
    assertInvalid(() -> complete(TestImages.cut(whole, whole.length - 2)), "truncated JPEG");
  }

  @Test
  void shouldRefuseAJpegOfTooManyScans() {
    byte[] scan = bytes(0xFF, 0xDA, 0, 2, 0x12);
    byte[] end = bytes(0xFF, 0xD9);
    byte[] image = frame(0xC2, 5, 5);
    for (int i = 0; i < 100; i++) {
      image = concat(image, scan, 0);
    }
    byte[] most = concat(image, end, 0);
    byte[] tooMany = concat(concat(image, scan, 0), end, 0);

    assertThat(complete(most).width()).isEqualTo(5);
    assertInvalid(() -> complete(tooMany), "more than 100 scans");
  }

  @Test
  void shouldReadAProgressivePhoto() throws IOException {
    assertThat(complete(Photos.read("crowd.jpg")))
        .isEqualTo(new ImageHeader(Format.JPEG, 1600, 898, 3));
  }

  @Property
  void shouldReadOrRefuseAnyBytes(@ForAll byte[] data) {
    assertHeaderOrRefusal(data);
  }

  @Property
  void shouldReadOrRefuseAnyBytesBehindASignature(
      @ForAll @Size(max = 300) byte[] data, @ForAll boolean jpeg) {
    byte[] signature = jpeg ? bytes(0xFF, 0xD8, 0xFF) : Arrays.copyOf(PNG, 16);
    assertHeaderOrRefusal(concat(signature, data, 0));
  }

  @Property
  void shouldReadOrRefuseADamagedImage(
      @ForAll @IntRange(max = 2) int which,
      @ForAll @IntRange(max = 100_000) int where,
      @ForAll byte value) {
    byte[] image = new byte[][] {JPEG, PROGRESSIVE, PNG}[which].clone();
    image[where % Math.min(image.length, 700)] = value;
    assertHeaderOrRefusal(image);
  }

  private static void assertHeaderOrRefusal(byte[] data) {
    for (ThrowingCallable call :
        new ThrowingCallable[] {() -> assertSane(read(data)), () -> assertSane(complete(data))}) {
      Throwable thrown = catchThrowable(call);
      if (thrown != null) {
        assertThat(thrown)
            .isInstanceOfSatisfying(
                InferenceException.class,
                e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST));
      }
    }
  }

  private static void assertSane(ImageHeader header) {
    assertThat(header.width()).isPositive();
    assertThat(header.height()).isPositive();
  }

  private static void assertInvalid(ThrowingCallable call, String message) {
    assertThatThrownBy(call)
        .hasMessageContaining(message)
        .isInstanceOfSatisfying(
            InferenceException.class,
            e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST));
  }

  private static ImageHeader read(byte[] data) {
    return ImageHeader.read(ByteBuffer.wrap(data));
  }

  private static ImageHeader complete(byte[] data) {
    return ImageHeader.readComplete(ByteBuffer.wrap(data));
  }

  /** Returns the start of a JPEG up to a segment that looks like a frame of three components. */
  private static byte[] frame(int marker, int width, int height) {
    return bytes(
        0xFF,
        0xD8,
        0xFF,
        0xFE,
        0,
        4,
        0xFF,
        0xC0,
        0xFF,
        marker,
        0,
        17,
        8,
        height >> 8,
        height,
        width >> 8,
        width,
        3,
        1,
        0x22,
        0,
        2,
        0x11,
        1,
        3,
        0x11,
        1);
  }

  private static byte[] concat(byte[] first, byte[] second, int skip) {
    return ByteBuffer.allocate(first.length + second.length - skip)
        .put(first)
        .put(second, skip, second.length - skip)
        .array();
  }

  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }
}
