package dev.conveyor.verticles.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.cli.demo.LineVerdict.Region;
import java.util.List;
import org.junit.jupiter.api.Test;

class LineVerdictTest {

  @Test
  void shouldBelieveTheCropsBeforeTheWholePicture() {
    LineVerdict verdict =
        LineVerdict.of(
            "clean",
            0.6,
            List.of(
                region("stain", 0.03, 0.7),
                region("scratch", 0.02, 0.8),
                region("scratch", 0.02, 0.9)));

    assertThat(verdict.label()).as("the larger area of two").isEqualTo("scratch");
    assertThat(verdict.confidence()).isEqualTo(0.9);
    assertThat(verdict.passes()).isFalse();
    assertThat(verdict.area()).isEqualTo(0.07);
  }

  @Test
  void shouldBelieveThePictureWhereNoCropShowsADefect() {
    List<Region> harmless = List.of(region("clean", 0.01, 0.99));
    assertThat(LineVerdict.of("clean", 0.8, harmless).passes()).isTrue();
    assertThat(LineVerdict.of("dent", 0.8, harmless).label()).isEqualTo("dent");
    assertThat(LineVerdict.of("clean", 0.8, List.of()).confidence()).isEqualTo(0.8);
  }

  private static Region region(String label, double area, double confidence) {
    return new Region(0, 0, 1, 1, area, label, confidence, area);
  }
}
