package dev.conveyor.verticles.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoCommandTest {

  @Test
  void shouldClassifyImagesOverBothProtocolsAndCompareTheWaysOfAsking(@TempDir Path output)
      throws IOException {
    Line line =
        Line.execute(
            new DemoCommand(),
            "--home",
            TestHome.REAL.toString(),
            "--images=8",
            "--rounds=1",
            "--output",
            output.toString());

    assertThat(line.err()).isEmpty();
    assertThat(line.exitCode()).isZero();
    assertThat(line.out())
        .contains("accuracy: 8 of 8 images, 100.0 %")
        .containsPattern("scratch-01.jpg +scratch +scratch +0\\.\\d+ +\\d+\\.\\d+ % .* ms  HTTP")
        .containsPattern("ms  gRPC\\R")
        .containsPattern("throughput, images/s +\\d+ +\\d+ +\\d+\\.\\d+\\R")
        .contains("latency p50", "latency p95", "latency p99")
        .containsPattern("one stream: 2 passed, 6 rejected, [1-9]\\d* defects cropped")
        .endsWith("server stopped%n".formatted());
    assertThat(line.out().lines()).allMatch(text -> text.length() <= 100);
    assertThat(output).isDirectoryContaining("glob:**/scratch-01.jpg");
    try (Stream<Path> pictures = Files.list(output)) {
      assertThat(pictures).hasSize(8).allMatch(DemoCommandTest::isPicture);
    }
  }

  private static boolean isPicture(Path file) {
    try {
      return ImageIO.read(file.toFile()).getWidth() == 640;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void shouldFailWhenPredictionsAreNotWhatTheImagesShow(@TempDir Path home) throws IOException {
    TestHome.copy("conf/models", home);
    TestHome.copy("conf/demo", home);
    TestHome.replace(home.resolve("conf/demo/truth.json"), "\"pit\"", "\"stain\"");

    Line line =
        Line.execute(
            new DemoCommand(),
            "--home",
            home.toString(),
            "--images=4",
            "--rounds=0",
            "--output",
            home.resolve("pictures").toString());

    assertThat(line.exitCode()).isEqualTo(1);
    assertThat(line.out()).contains("accuracy: 3 of 4 images, 75.0 % (required: 95 %): TOO LOW");
  }

  @Test
  void shouldSayWhichModelIsMissingWhenOneDoesNotLoad(@TempDir Path home) throws IOException {
    TestHome.copy("conf/models", home);
    TestHome.copy("conf/demo", home);
    TestHome.replace(
        home.resolve("conf/models/surface_segmenter/config.json"), "\"RESIZE\"", "\"CROP\"");

    Line line = Line.execute(new DemoCommand(), "--home", home.toString());

    assertThat(line.exitCode()).isEqualTo(1);
    assertThat(line.err())
        .contains("FAILED   surface_segmenter: ", "\"CROP\"")
        .contains("the server does not serve surface_segmenter");
  }

  @Test
  void shouldSayWhatIsMissingWhenThereAreNoImages(@TempDir Path home) {
    Line line = Line.execute(new DemoCommand(), "--home", home.toString());

    assertThat(line.exitCode()).isEqualTo(1);
    assertThat(line.err()).contains("cannot read the images of the demo", "truth.json");
  }
}
