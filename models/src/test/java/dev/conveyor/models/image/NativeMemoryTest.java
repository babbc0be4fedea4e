package dev.conveyor.models.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

final class NativeMemoryTest {

  private static final Pattern REPORT =
      Pattern.compile("processing (-?\\d+) leaking (-?\\d+) " + NativeMemoryProbe.ROUNDS);

  /** A leak of the decoded pixels alone would be 109 MiB. */
  @Test
  void shouldNotGrowByProcessingGoodAndBadImages() throws Exception {
    Process probe =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xms128m",
                "-Xmx128m",
                "-XX:+AlwaysPreTouch",
                "-XX:+UseSerialGC",
                "-Dorg.bytedeco.javacpp.nopointergc=true",
                "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
                "-cp",
                System.getProperty("java.class.path"),
                NativeMemoryProbe.class.getName())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String output =
        new String(probe.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();

    Matcher report = REPORT.matcher(output);
    assertThat(report.matches()).as(output).isTrue();
    assertThat(Integer.parseInt(report.group(1))).as(output).isLessThan(40);
    assertThat(Integer.parseInt(report.group(2)))
        .as("the measure works: " + output)
        .isBetween(90, 150);
  }
}
