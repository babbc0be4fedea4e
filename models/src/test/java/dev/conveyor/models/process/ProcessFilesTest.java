package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class ProcessFilesTest {

  @Test
  void shouldFindTheSignalThatAProcessEndsBy() {
    assertThat(ProcessFiles.signalIn("17 (java) S 1 2 3 0")).as("it runs").isZero();
    assertThat(ProcessFiles.signalIn("17 (java) S 1 2 3 9")).as("it still runs").isZero();
    assertThat(ProcessFiles.signalIn("17 (java) Z 1 2 3 9\n")).isEqualTo(9);
    assertThat(ProcessFiles.signalIn("17 (a) Z (b) Z 1 2 3 134")).as("with a dump").isEqualTo(6);
    assertThat(ProcessFiles.signalIn("17 (java) Z 1 2 3 768")).as("it exited with 3").isZero();
    assertThat(ProcessFiles.signalIn("")).as("it is gone").isZero();
  }

  @Test
  void shouldFindNothingAboutAProcessThatIsWell() {
    assertThat(ProcessFiles.endingSignal(ProcessHandle.current().pid())).isZero();
    assertThat(ProcessFiles.endingSignal(1L << 40)).isZero();
  }
}
