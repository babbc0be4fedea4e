package dev.conveyor.verticles.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.verticles.cli.demo.LineVerdict.Region;
import io.vertx.core.buffer.Buffer;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

/** What is drawn, seen through JPEG. */
class AnnotatorTest {

  private static final int RED = 0xb91c1c;
  private static final int GREEN = 0x15803d;
  private static final int GREY = 0x808080;

  @Test
  void shouldFrameEveryDefectAndSayTheVerdictBelow() throws IOException {
    DemoImage image = image(320, 240);
    Region left = new Region(40, 60, 100, 120, 0.01, "pit", 0.9);
    Region right = new Region(200, 100, 300, 200, 0.02, "pit", 0.8);
    BufferedImage drawn = draw(image, new LineVerdict("pit", 0.9, false, List.of(left, right)));

    assertThat(drawn.getWidth()).isEqualTo(640);
    assertThat(drawn.getHeight()).isEqualTo(480 + 40);
    // Twice as large; edges of the frames, the inside of one, and what is outside of both.
    assertNear(drawn, 80, 200, RED);
    assertNear(drawn, 198, 200, RED);
    assertNear(drawn, 140, 238, RED);
    assertNear(drawn, 400, 300, RED);
    assertNear(drawn, 500, 398, RED);
    assertNear(drawn, 140, 180, GREY);
    assertNear(drawn, 300, 440, GREY);
    assertNear(drawn, 630, 510, RED);
    // Letters are white: on the label of a frame, and in the bar.
    assertThat(whites(drawn, 80, 98, 100, 22)).isPositive();
    assertThat(whites(drawn, 0, 480, 640, 40)).isPositive();
    assertThat(whites(drawn, 0, 100, 60, 300)).isZero();
  }

  @Test
  void shouldDrawAGreenBarAndNoFrameOnWhatPasses() throws IOException {
    BufferedImage drawn = draw(image(320, 240), new LineVerdict("clean", 0.97, true, List.of()));
    assertNear(drawn, 630, 510, GREEN);
    for (int x = 0; x < 640; x += 5) {
      for (int y = 0; y < 470; y += 5) {
        assertNear(drawn, x, y, GREY);
      }
    }
  }

  @Test
  void shouldSayTheVerdictInALine() {
    Region region = new Region(0, 0, 10, 10, 0.0123, "pit", 0.9);
    assertThat(
            Annotator.caption(
                image("a.jpg", new byte[0]), new LineVerdict("pit", 0.9, false, List.of(region))))
        .isEqualTo("a.jpg: pit 0.900, reject; 1 region, 1.23 % of the surface");
  }

  @Test
  void shouldNameThePictureThatCannotBeDecoded() {
    DemoImage broken = image("broken.jpg", new byte[] {1, 2, 3});
    assertThatThrownBy(() -> Annotator.draw(broken, new LineVerdict("clean", 1, true, List.of())))
        .isInstanceOf(IOException.class)
        .hasMessage("broken.jpg cannot be decoded");
  }

  private static BufferedImage draw(DemoImage image, LineVerdict verdict) throws IOException {
    return ImageIO.read(new ByteArrayInputStream(Annotator.draw(image, verdict)));
  }

  private static void assertNear(BufferedImage image, int x, int y, int rgb) {
    int found = image.getRGB(x, y);
    for (int shift = 0; shift <= 16; shift += 8) {
      int channel = found >> shift & 255;
      assertThat(channel)
          .as("channel of pixel %d, %d: %06x", x, y, found & 0xffffff)
          .isBetween((rgb >> shift & 255) - 60, (rgb >> shift & 255) + 60);
    }
  }

  private static long whites(BufferedImage image, int x, int y, int width, int height) {
    long whites = 0;
    for (int i = 0; i < width * height; i++) {
      int rgb = image.getRGB(x + i % width, y + i / width);
      whites += (rgb & 255) > 200 && (rgb >> 8 & 255) > 200 && (rgb >> 16 & 255) > 200 ? 1 : 0;
    }
    return whites;
  }

  private static DemoImage image(int width, int height) throws IOException {
    BufferedImage grey = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < width * height; i++) {
      grey.setRGB(i % width, i / width, GREY);
    }
    ByteArrayOutputStream jpeg = new ByteArrayOutputStream();
    ImageIO.write(grey, "jpg", jpeg);
    return image("grey.jpg", jpeg.toByteArray());
  }

  private static DemoImage image(String file, byte[] jpeg) {
    return new DemoImage(file, "pit", Buffer.buffer(jpeg));
  }
}
