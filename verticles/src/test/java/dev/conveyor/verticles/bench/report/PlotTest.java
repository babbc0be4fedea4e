package dev.conveyor.verticles.bench.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;

class PlotTest {

  private static final Figure FIGURE =
      LoadReport.figure("a <b> & c", Points.sweep(List.of("a", "b"), Points.closed(1, 2, 4, 8)));

  @TempDir private Path directory;

  @Test
  void shouldWriteAWellFormedSvgWithTitleAxesAndLegend() throws Exception {
    Path file = directory.resolve("plot.svg");

    Plot.write(FIGURE, file);

    Document document =
        DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(file.toFile());
    NodeList nodes = document.getElementsByTagName("text");
    Set<String> texts = new HashSet<>();
    for (int i = 0; i < nodes.getLength(); i++) {
      texts.add(nodes.item(i).getTextContent());
    }
    assertThat(texts)
        .contains("a <b> & c", "throughput (inferences/s)", "all models", "p50", "p99.9")
        .contains("concurrency (requests in flight per model)", "1", "2", "4", "8")
        .contains("latency (ms), log scale");
    assertThat(document.getElementsByTagName("circle").getLength())
        .isEqualTo((3 + 4) * (4 + 1)); // seven lines of four points, and one dot each in the legend
  }

  @Test
  void shouldWriteThePictureAsPngToo() throws Exception {
    Path file = directory.resolve("plot.png");

    Plot.write(FIGURE, file);

    BufferedImage image = ImageIO.read(file.toFile());
    assertThat(image.getWidth()).isEqualTo(2 * FigurePainter.width(FIGURE));
    Set<Integer> colours = new HashSet<>();
    for (int y = 0; y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        colours.add(image.getRGB(x, y) & 0xffffff);
      }
    }
    assertThat(colours).contains(0xffffff, 0x0072b2, 0xd55e00, 0x009e73);
  }

  @Test
  void shouldRefuseOtherFormats() {
    Path file = directory.resolve("plot.gif");

    assertThatThrownBy(() -> Plot.write(FIGURE, file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(".svg or .png");
    assertThat(Files.exists(file)).isFalse();
  }
}
