package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BuildProgressTest {

  private final List<String> lines = new ArrayList<>();
  private boolean unwanted;
  private final BuildProgress progress = new BuildProgress(lines::add, () -> unwanted);

  @Test
  void shouldSayEveryQuarterOfWhatLiesInNothing() {
    progress.begin("Building", null, 10);
    for (int step = 0; step < 10; step++) {
      assertThat(progress.step("Building", step)).isTrue();
    }
    progress.end("Building");

    assertThat(lines)
        .containsExactly(
            "Building: 10 steps",
            "Building: 25 %",
            "Building: 50 %",
            "Building: 75 %",
            "Building: done");
  }

  @Test
  void shouldCountAPhaseAsAPartOfTheStepThatItLiesIn() {
    progress.begin("Building", null, 2);
    progress.begin("Timing", "Building", 4);
    progress.step("Timing", 0);
    assertThat(lines).containsExactly("Building: 2 steps");
    progress.step("Timing", 1);
    assertThat(lines).endsWith("Building: 25 %");
    progress.step("Timing", 2);
    progress.step("Timing", 3);
    progress.end("Timing");
    assertThat(lines).endsWith("Building: 50 %");
    progress.begin("Choosing", "Building", 1); // still in the first step
    progress.step("Choosing", 0);
    progress.end("Choosing");
    progress.step("Building", 0);
    assertThat(lines).endsWith("Building: 50 %").hasSize(3);

    progress.begin("Writing", "Building", 2);
    progress.begin("Packing", "Writing", 10);
    progress.step("Packing", 8);
    assertThat(lines).hasSize(3);
    progress.step("Packing", 9);
    assertThat(lines).endsWith("Building: 75 %");
  }

  @Test
  void shouldNotCountAPhaseInAStepThatCameLater() {
    progress.begin("Building", null, 4);
    progress.begin("Slow", "Building", 2);
    progress.step("Building", 0);

    progress.step("Slow", 1);
    progress.step("Building", 1);

    assertThat(lines).containsExactly("Building: 4 steps", "Building: 25 %", "Building: 50 %");
  }

  @Test
  void shouldTakeStepsOutOfOrderAndPhasesOfNobody() {
    progress.begin("Building", null, 4);
    progress.step("Building", 2);
    progress.step("Building", 0);
    progress.begin("Orphan", "Gone", 1);
    progress.step("Orphan", 0);
    progress.end("Orphan");

    assertThat(lines).containsExactly("Building: 4 steps", "Building: 75 %");
  }

  @Test
  void shouldNeverGoBack() {
    Random random = new Random(1);
    for (int round = 0; round < 200; round++) {
      lines.clear();
      progress.begin("P0", null, 1 + random.nextInt(5));
      for (int i = 0; i < 100; i++) {
        String phase = "P" + random.nextInt(4);
        int what = random.nextInt(10);
        if (what == 0 && !phase.equals("P0")) {
          progress.begin(phase, "P" + random.nextInt(4), random.nextInt(5));
        } else if (what == 1 && !phase.equals("P0")) {
          progress.end(phase);
        } else {
          progress.step(phase, random.nextInt(5));
        }
      }
      progress.end("P0");
      List<Integer> percents = new ArrayList<>();
      for (String line : lines) {
        if (line.endsWith("%")) {
          percents.add(Integer.parseInt(line.substring(4, line.length() - 2)));
        }
      }
      assertThat(percents).isSorted().doesNotHaveDuplicates().isSubsetOf(25, 50, 75);
      assertThat(lines).endsWith("P0: done");
    }
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
