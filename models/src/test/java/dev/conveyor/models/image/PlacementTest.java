package dev.conveyor.models.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.config.Preprocessing.Mode;
import dev.conveyor.models.config.Preprocessing.Size;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlacementTest {

  private static final Size SQUARE = new Size(32, 32);
  private static final Size WIDE = new Size(64, 32);
  private static final Size LARGE = new Size(640, 640);
  private static final List<Size> ALL = List.of(LARGE, WIDE, SQUARE);

  @Test
  void shouldChooseTheSmallestThatHoldsAllImages() {
    assertThat(Placement.choose(Mode.PAD, ALL, List.of(new Size(20, 30)))).isEqualTo(SQUARE);
    assertThat(Placement.choose(Mode.PAD, ALL, List.of(new Size(20, 30), new Size(33, 1))))
        .isEqualTo(WIDE);
    assertThat(Placement.choose(Mode.PAD, ALL, List.of(new Size(20, 30), new Size(1, 33))))
        .isEqualTo(LARGE);
    assertThat(Placement.choose(Mode.PAD, ALL, List.of(new Size(2000, 1000))))
        .as("none holds it, this one wastes nothing")
        .isEqualTo(WIDE);
  }

  @Test
  void shouldChooseTheAspectThatSuitsTheImagesTogether() {
    Size square = new Size(500, 500);
    Size wide = new Size(900, 450);
    assertThat(Placement.choose(Mode.LETTERBOX, ALL, List.of(square, square, wide)))
        .as("of two squares the one that keeps more of the images")
        .isEqualTo(LARGE);
    assertThat(Placement.choose(Mode.RESIZE, ALL, List.of(square, wide, wide))).isEqualTo(WIDE);
  }

  @ParameterizedTest
  @CsvSource({
    // as large as one of them, between them, above them, below them
    "LETTERBOX, 640, 480, 640, 480",
    "LETTERBOX, 400, 300, 640, 480",
    "LETTERBOX, 1280, 960, 640, 480",
    "LETTERBOX, 32, 24, 320, 240",
    "LETTERBOX, 320, 240, 320, 240",
    "LETTERBOX, 321, 240, 640, 480",
    "RESIZE, 640, 480, 640, 480",
    "RESIZE, 4000, 3000, 640, 480",
    "PAD, 640, 480, 640, 480",
    "PAD, 641, 481, 640, 480",
    "PAD, 320, 240, 320, 240",
  })
  void shouldLoseNoPixelsThatASizeOfTheSameAspectWouldKeep(
      Mode mode, int width, int height, int toWidth, int toHeight) {
    Size small = new Size(320, 240);
    Size large = new Size(640, 480);
    Size image = new Size(width, height);
    for (List<Size> sizes : List.of(List.of(small, large), List.of(large, small))) {
      assertThat(Placement.choose(mode, sizes, List.of(image)))
          .isEqualTo(new Size(toWidth, toHeight));
    }
    assertThat(Placement.choose(mode, List.of(large, small), List.of(small, large)))
        .as("the smallest that holds them all")
        .isEqualTo(large);
  }

  @Property
  void shouldShowTheWholeImageAndBringItsCornersBack(
      @ForAll Mode mode,
      @ForAll @IntRange(min = 1, max = 5000) int width,
      @ForAll @IntRange(min = 1, max = 5000) int height,
      @ForAll @IntRange(min = 1, max = 700) int inputWidth,
      @ForAll @IntRange(min = 1, max = 700) int inputHeight) {
    Placement placed =
        Placement.of(mode, new Size(inputWidth, inputHeight), new Size(width, height));

    Letterbox frame = placed.frame();
    assertThat(frame.x()).isNotNegative();
    assertThat(frame.x() + frame.width()).isLessThanOrEqualTo(inputWidth);
    assertThat(frame.y() + frame.height()).isLessThanOrEqualTo(inputHeight);
    assertThat(placed.sourceX(frame.x())).isZero();
    assertThat(placed.sourceY(frame.y())).isZero();
    assertThat(placed.sourceX(frame.x() + frame.width())).isCloseTo(width, within(0.01f));
    assertThat(placed.sourceY(frame.y() + frame.height())).isCloseTo(height, within(0.01f));
    if (mode == Mode.PAD && width <= inputWidth && height <= inputHeight) {
      assertThat(frame).isEqualTo(new Letterbox(0, 0, width, height));
    }
  }
}
