package dev.conveyor.verticles.stream;

import static dev.conveyor.verticles.stream.SplitterFixture.MAX_BYTES;
import static dev.conveyor.verticles.stream.SplitterFixture.concat;
import static dev.conveyor.verticles.stream.SplitterFixture.jpeg;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.InferenceException;
import java.awt.Color;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class MultipartSplitterTest {

  private static final byte[] RED = jpeg(16, Color.RED);

  /** Holds what looks like the beginning of a delimiter. */
  private static final byte[] NASTY = concat("x\r\n--cu\n\n--\r\r\n--cut\r\n-", RED, "\r\n--cu");

  private final SplitterFixture seen = new SplitterFixture();
  private final MultipartSplitter splitter = splitter(seen, MAX_BYTES);

  @Test
  void shouldCutPartsWhereverTheBytesAreCut() {
    byte[] stream =
        concat(
            "--cuts\r\nContent-Type: image/jpeg\r\nContent-Length: " + RED.length + "\r\n\r\n",
            RED,
            "\r\n--cuts\r\n\r\n",
            NASTY,
            "\r\n--cuts\r\ncontent-length:" + NASTY.length + "\r\n\r\n",
            NASTY,
            "\r\n--cuts\n\n",
            RED,
            "\n--cuts--\r\nepilogue");
    for (int piece = 1; piece <= stream.length; piece += piece < 60 ? 1 : 89) {
      SplitterFixture each = new SplitterFixture();
      each.feed(splitter(each, MAX_BYTES), piece, stream);

      assertThat(each.refusals).as("pieces of %d bytes", piece).isEmpty();
      assertThat(each.frames).containsExactly(RED, NASTY, NASTY, RED);
    }
  }

  @Test
  void shouldTakeDashesForAPartOfTheNameUnlessACameraMeansTheDelimiters() {
    for (String boundary : new String[] {"------------------------4f", "----WebKitForm", "--cam"}) {
      String written = boundary.equals("--cam") ? boundary : "--" + boundary;
      SplitterFixture each = new SplitterFixture();
      each.feed(
          new MultipartSplitter(boundary, each.share, MAX_BYTES),
          17,
          concat(written + "\r\n\r\n", RED, "\r\n" + written + "--\r\n"));
      assertThat(each.refusals).as(boundary).isEmpty();
      assertThat(each.frames).as(boundary).containsExactly(RED);
    }
  }

  @Test
  void shouldTakeABoundaryOfTwoDashesAsTheStandardHasItToo() {
    // RFC 2046, 5.1.1: the delimiter is two dashes and the boundary, whatever it begins with.
    for (String boundary : new String[] {"--cam", "----cam", "---", "--"}) {
      for (String written : new String[] {"--" + boundary, boundary}) {
        if (boundary.matches("-*") && written.equals(boundary)) {
          continue; // these dashes may be the beginning of more
        }
        for (int piece : new int[] {1, 5, 5000}) {
          SplitterFixture each = new SplitterFixture();
          each.feed(
              new MultipartSplitter(boundary, each.share, MAX_BYTES),
              piece,
              concat(
                  "hello\n--c\n" + written + "\r\n\r\n",
                  RED,
                  "\r\n" + written + "\r\nContent-Length: 3\r\n\r\nabc\r\n" + written + "--\r\n"));
          assertThat(each.refusals).as("%s in pieces of %d", written, piece).isEmpty();
          assertThat(each.frames).as(written).containsExactly(RED, concat("abc"));
        }
      }
    }
  }

  @Test
  void shouldFindEveryPartWhereNoLineEndStandsBehindTheOneBefore() {
    byte[] part = concat(head(RED.length), RED);
    for (int piece : new int[] {1, 7, 5000}) {
      SplitterFixture each = new SplitterFixture();
      each.feed(splitter(each, MAX_BYTES), piece, concat(part, part, part, part, "--cuts--"));
      assertThat(each.refusals).as("pieces of %d bytes", piece).isEmpty();
      assertThat(each.frames).containsExactly(RED, RED, RED, RED);
    }
  }

  @Test
  void shouldHandAPartOverWithItsLastByteIfItsLengthIsKnown() {
    seen.pieces(splitter, 50, concat(head(RED.length), RED));
    assertThat(seen.frames).containsExactly(RED);

    seen.pieces(splitter, 50, concat("\r\n--cuts\r\n\r\n", RED));
    assertThat(seen.frames).as("without a length it is the delimiter that ends it").hasSize(1);
    seen.pieces(splitter, 50, concat("\r\n--cuts"));
    assertThat(seen.frames).containsExactly(RED, RED);
  }

  @Test
  void shouldRefuseAPartThatIsShorterThanItSaysAndGoOn() {
    seen.feed(
        splitter,
        13,
        concat(head(RED.length + 50), RED, "\r\n" + head(RED.length), RED, "\r\n--cuts--"));

    assertThat(seen.frames).containsExactly(RED);
    assertThat(seen.refusals)
        .containsExactly(
            "content-length is %d, the part has %d bytes".formatted(RED.length + 50, RED.length));
  }

  @Test
  void shouldSkipWhatAPartHasBeyondItsLength() {
    seen.feed(splitter, 13, concat(head(5), RED, "\r\n" + head(RED.length), RED, "\r\n--cuts--"));

    assertThat(seen.frames).containsExactly(Arrays.copyOf(RED, 5), RED);
  }

  @Test
  void shouldRefuseAPartThatIsTooLargeAndGoOn() {
    SplitterFixture tight = new SplitterFixture();
    byte[] stream =
        concat(
            "--cuts\r\n\r\n", NASTY, "\r\n" + head(NASTY.length), NASTY, "\r\n" + head(4), "1234");
    tight.feed(splitter(tight, NASTY.length - 1), 100, stream);
    assertThat(tight.frames).containsExactly(concat("1234"));
    assertThat(tight.refusals).hasSize(2).allMatch(s -> s.endsWith("are taken"));

    SplitterFixture fits = new SplitterFixture();
    fits.feed(splitter(fits, NASTY.length), 100, stream);
    assertThat(fits.frames)
        .as("of exactly that size")
        .containsExactly(NASTY, NASTY, concat("1234"));
  }

  @Test
  void shouldRefuseAGiantPartByItsHeadAlone() {
    seen.pieces(splitter, 10, concat(head(Long.MAX_VALUE)));
    assertThat(seen.refusals).hasSize(1);

    seen.pieces(splitter, 1000, new byte[3_000_000]);
    assertThat(seen.pool.leasedBytes()).isZero();
    seen.feed(splitter, 1000, concat("\r\n" + head(RED.length), RED));
    assertThat(seen.frames).containsExactly(RED);
    assertThat(seen.refusals).hasSize(1);
  }

  @Test
  void shouldTellOfAStreamThatEndsInTheMiddle() {
    seen.feed(splitter, 10, concat(head(1000), RED, "\r\n-"));

    assertThat(seen.frames).isEmpty();
    assertThat(seen.refusals)
        .containsExactly(
            "the stream ended in the middle of a frame, after %d bytes of it"
                .formatted(RED.length + 3));
  }

  @Test
  void shouldRefuseEmptyParts() {
    seen.feed(splitter, 9, concat(head(0), "\r\n" + head(3), "abc"));

    assertThat(seen.frames).containsExactly(concat("abc"));
    assertThat(seen.refusals).containsExactly("the part has no bytes");
  }

  @Test
  void shouldGiveUpOnBytesThatAreNoParts() {
    seen.feed(splitter, 100, RED);
    assertThat(seen.refusals).hasSize(1);
    assertThat(seen.refusals.get(0)).contains("'--cuts', did not come");

    SplitterFixture more = new SplitterFixture();
    MultipartSplitter junk = splitter(more, MAX_BYTES);
    more.pieces(junk, 1000, new byte[64 * 1024]);
    assertThatThrownBy(() -> more.pieces(junk, 1, new byte[1]))
        .isInstanceOf(InferenceException.class)
        .hasMessageStartingWith("no part in the first 65537 bytes");
  }

  @Test
  void shouldGiveUpOnAHeadWithoutAnEnd() {
    assertThatThrownBy(
            () -> seen.pieces(splitter, 1000, concat("--cuts\r\nX: ", new byte[9 * 1024])))
        .isInstanceOf(InferenceException.class)
        .hasMessage("the head of a part has more than 8192 bytes");
  }

  @Test
  void shouldReadBoundaries() {
    String type = "multipart/x-mixed-replace";
    assertThat(MultipartSplitter.boundary(type + "; boundary=cuts")).isEqualTo("cuts");
    assertThat(MultipartSplitter.boundary(type + ";x=y; Boundary=\"a b\"")).isEqualTo("a b");
    assertThat(MultipartSplitter.boundary(type + ";boundary=" + "b".repeat(70))).hasSize(70);
    for (String bad : new String[] {"", "; boundary=", ";boundary=" + "b".repeat(71)}) {
      assertThatThrownBy(() -> MultipartSplitter.boundary(type + bad))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("content-type must name a boundary of 1 to 70 characters");
    }
  }

  @Test
  void shouldTakeBoundariesThatAreNamedWithTheirDashes() {
    new MultipartSplitter("--cuts", seen.share, MAX_BYTES)
        .accept(concat(head(3), "abc"), seen::take);

    assertThat(seen.frames).containsExactly(concat("abc"));
  }

  private static MultipartSplitter splitter(SplitterFixture fixture, int maxBytes) {
    return new MultipartSplitter("cuts", fixture.share, maxBytes);
  }

  private static String head(long length) {
    return "--cuts\r\nContent-Length: " + length + "\r\n\r\n";
  }
}
