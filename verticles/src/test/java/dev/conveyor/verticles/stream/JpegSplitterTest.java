package dev.conveyor.verticles.stream;

import static dev.conveyor.verticles.stream.SplitterFixture.MAX_BYTES;
import static dev.conveyor.verticles.stream.SplitterFixture.concat;
import static dev.conveyor.verticles.stream.SplitterFixture.jpeg;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.HeapShare;
import dev.conveyor.models.InferenceException;
import java.awt.Color;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class JpegSplitterTest {

  private static final byte[] RED = jpeg(16, Color.RED);
  private static final byte[] BLUE = jpeg(40, Color.BLUE);

  private final SplitterFixture seen = new SplitterFixture();
  private final JpegSplitter splitter = new JpegSplitter(seen.share, MAX_BYTES);

  @Test
  void shouldCutPicturesWhereverTheBytesAreCut() {
    byte[] stream = concat(RED, BLUE, "\r\n", RED, new byte[3], BLUE);
    for (int piece = 1; piece <= stream.length; piece += piece < 40 ? 1 : 97) {
      SplitterFixture each = new SplitterFixture();
      each.feed(new JpegSplitter(each.share, MAX_BYTES), piece, stream);

      assertThat(each.refusals).as("pieces of %d bytes", piece).isEmpty();
      assertThat(each.frames).containsExactly(RED, BLUE, RED, BLUE);
    }
  }

  @Test
  void shouldSkipFillBytesBeforeAPicture() {
    // T.81, B.1.1.2: any marker may be preceded by any number of FF.
    byte[] fill = {(byte) 0xFF, (byte) 0xFF, (byte) 0xFF};
    for (int piece : new int[] {1, 2, 3, 5000}) {
      SplitterFixture each = new SplitterFixture();
      each.feed(
          new JpegSplitter(each.share, MAX_BYTES),
          piece,
          concat(fill, RED, Arrays.copyOf(fill, 1), BLUE, fill, "\r\n", RED));

      assertThat(each.frames).as("pieces of %d bytes", piece).containsExactly(RED, BLUE, RED);
      assertThat(each.refusals)
          .as("fill without a marker behind it")
          .containsExactly("1 bytes that are no JPEG: a picture begins with FF D8");
    }
  }

  @Test
  void shouldNotEndAPictureAtItsThumbnail() {
    // An application segment right behind the start of image, with a whole JPEG in it.
    int length = RED.length + 2;
    byte[] app1 = {(byte) 0xFF, (byte) 0xE1, (byte) (length >> 8), (byte) length};
    byte[] withThumbnail =
        concat(Arrays.copyOf(BLUE, 2), app1, RED, Arrays.copyOfRange(BLUE, 2, BLUE.length));

    seen.feed(splitter, 7, concat(withThumbnail, RED));

    assertThat(seen.refusals).isEmpty();
    assertThat(seen.frames).containsExactly(withThumbnail, RED);
  }

  @Test
  void shouldGoOnBehindAPictureThatWasCutOff() {
    byte[] cut = Arrays.copyOf(BLUE, BLUE.length - 5);
    for (int piece : new int[] {1, 2, 3, 50, 5000}) {
      SplitterFixture each = new SplitterFixture();
      each.feed(new JpegSplitter(each.share, MAX_BYTES), piece, concat(cut, RED));

      assertThat(each.frames).as("pieces of %d bytes", piece).containsExactly(cut, RED);
    }
  }

  @Test
  void shouldEndAStreamThatIsNoJpeg() {
    assertThatThrownBy(() -> splitter.accept("x".repeat(1 << 17).getBytes(US_ASCII), frame -> {}))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("FF D8");
  }

  @Test
  void shouldTellOfAStreamThatEndsInTheMiddle() {
    byte[] half = Arrays.copyOf(BLUE, BLUE.length / 2);
    seen.feed(splitter, 100, concat(RED, half));

    assertThat(seen.frames).containsExactly(RED);
    assertThat(seen.refusals)
        .containsExactly(
            "the stream ended in the middle of a frame, after " + half.length + " bytes of it");
  }

  @Test
  void shouldTellOfBytesThatAreNoPicture() {
    seen.feed(splitter, 3, concat("hello", RED, "bye"));

    assertThat(seen.frames).containsExactly(RED);
    assertThat(seen.refusals)
        .containsExactly(
            "5 bytes that are no JPEG: a picture begins with FF D8",
            "3 bytes that are no JPEG: a picture begins with FF D8");
  }

  @Test
  void shouldRefuseAPictureThatIsTooLargeAndGoOn() {
    SplitterFixture tight = new SplitterFixture();
    JpegSplitter small = new JpegSplitter(tight.share, BLUE.length - 1);
    tight.feed(small, 64, concat(RED, BLUE, RED));
    assertThat(tight.frames).containsExactly(RED, RED);
    assertThat(tight.refusals).hasSize(1);
    assertThat(tight.refusals.get(0)).endsWith("at most " + (BLUE.length - 1) + " are taken");

    SplitterFixture fits = new SplitterFixture();
    fits.feed(new JpegSplitter(fits.share, BLUE.length), 64, concat(RED, BLUE, RED));
    assertThat(fits.frames).as("of exactly that size").containsExactly(RED, BLUE, RED);
  }

  @Test
  void shouldRefuseLargePicturesWhileTheModelHasItsShareOfTheMemory() {
    try (HeapShare most = seen.share.heapShare()) {
      assertThat(most.growTo(700_000)).isTrue();
      byte[] large = concat(Arrays.copyOf(BLUE, BLUE.length - 2), new byte[30_000]);
      seen.pieces(splitter, 1000, concat(RED, large));
      assertThat(seen.frames).as("small ones are taken").containsExactly(RED);
      assertThat(seen.refusals).hasSize(1);
      assertThat(seen.refusals.get(0)).endsWith("which is its share");
    }
    splitter.close();
    assertThat(seen.share.heldBytes()).isZero();
    assertThat(seen.pool.leasedBytes()).isZero();
  }

  @Test
  void shouldHoldNothingOfAPictureWithoutAnEnd() {
    seen.pieces(splitter, 1000, concat(Arrays.copyOf(BLUE, BLUE.length - 2), new byte[4_000_000]));

    assertThat(seen.refusals).as("told at once").hasSize(1);
    assertThat(seen.pool.leasedBytes()).isZero();
    seen.feed(splitter, 1000, concat(new byte[] {(byte) 0xFF, (byte) 0xD9}, RED));
    assertThat(seen.frames).containsExactly(RED);
    assertThat(seen.refusals).hasSize(1);
  }

  @Test
  void shouldRefuseAPictureForWhichThereIsNoMemory() {
    assertThat(seen.pool.heapShare().growTo(seen.pool.maxBytes() - 100)).isTrue();

    seen.pieces(splitter, 100, RED);

    assertThat(seen.refusals).hasSize(1);
    assertThat(seen.refusals.get(0)).startsWith("no memory for a frame of ");
  }
}
