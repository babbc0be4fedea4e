package dev.conveyor.models.image;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

final class LetterboxTest {

  @Test
  void shouldCentreWideAndTallImages() {
    assertThat(Letterbox.fit(1280, 720, 640, 640)).isEqualTo(new Letterbox(0, 140, 640, 360));
    assertThat(Letterbox.fit(720, 1280, 640, 640)).isEqualTo(new Letterbox(140, 0, 360, 640));
    assertThat(Letterbox.fit(10, 10, 640, 640)).isEqualTo(new Letterbox(0, 0, 640, 640));
  }

  @Test
  void shouldPadTheLowerRightWithTheOddPixel() {
    assertThat(Letterbox.fit(10, 7, 10, 10)).isEqualTo(new Letterbox(0, 1, 10, 7));
    assertThat(Letterbox.fit(7, 10, 10, 10)).isEqualTo(new Letterbox(1, 0, 7, 10));
  }

  @Test
  void shouldKeepALineOfAFlatImage() {
    assertThat(Letterbox.fit(60_000, 1, 224, 224)).isEqualTo(new Letterbox(0, 111, 224, 1));
  }

  @Property
  void shouldLieInTheFrameAndTouchTwoOfItsSides(
      @ForAll @IntRange(min = 1, max = 70_000) int width,
      @ForAll @IntRange(min = 1, max = 70_000) int height,
      @ForAll @IntRange(min = 1, max = 4000) int frameWidth,
      @ForAll @IntRange(min = 1, max = 4000) int frameHeight) {
    Letterbox box = Letterbox.fit(width, height, frameWidth, frameHeight);

    assertThat(box.x()).isNotNegative();
    assertThat(box.y()).isNotNegative();
    assertThat(box.x() + box.width()).isLessThanOrEqualTo(frameWidth);
    assertThat(box.y() + box.height()).isLessThanOrEqualTo(frameHeight);
    assertThat(box.width() == frameWidth || box.height() == frameHeight).isTrue();
    assertThat(frameWidth - box.width() - 2 * box.x()).isBetween(0, 1);
    assertThat(frameHeight - box.height() - 2 * box.y()).isBetween(0, 1);
  }
}
