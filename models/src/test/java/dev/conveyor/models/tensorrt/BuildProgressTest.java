package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BuildProgressTest {

  private final List<String> lines = new ArrayList<>();
  private boolean unwanted;
  private final BuildProgress progress = new BuildProgress(lines::add, () -> unwanted);

  @Test
  void shouldSayEveryQuarterOfWhatLiesInNothing() {
    progress.begin("Building", null, 10);
    progress.begin("Timing", "Building", 1000);
    for (int step = 0; step < 1000; step++) {
      assertThat(progress.step("Timing", step)).isTrue();
    }
    progress.end("Timing");
    for (int step = 0; step < 10; step++) {
      assertThat(progress.step("Building", step)).isTrue();
    }
    progress.end("Building");

    assertThat(lines)
        .containsExactly(
            "Building: 10 steps",
            "Building: 3 of 10",
            "Building: 5 of 10",
            "Building: 8 of 10",
            "Building: done");
  }

  @Test
  void shouldEndTheBuildThatNobodyWants() {
    progress.begin("Building", null, 4);
    assertThat(progress.step("Building", 0)).isTrue();

    unwanted = true;

    assertThat(progress.step("Building", 1)).isFalse();
    assertThat(progress.step("Timing", 0)).isFalse();
  }

  @Test
  void shouldTakeAPhaseWithoutSteps() {
    progress.begin("Empty", null, 0);
    progress.step("Empty", 0);
    progress.end("Empty");

    assertThat(lines).containsExactly("Empty: 0 steps", "Empty: done");
  }
}
