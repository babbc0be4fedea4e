package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class EpitaphTest {

  @TempDir private Path dir;

  @Test
  void shouldNameTheSignal() {
    assertThat(Epitaph.of(1, 137, dir.resolve("none"), "out"))
        .isEqualTo(
            new Loss(
                Loss.Cause.SIGNALLED,
                "worker process 1 was ended by SIGKILL, perhaps by the system, for memory"));
    assertThat(Epitaph.of(1, 128 + 64, dir.resolve("none"), "").detail())
        .isEqualTo("worker process 1 was ended by signal 64");
  }

  @Test
  void shouldGiveTheLastWordsOfAProcessThatExited() {
    assertThat(Epitaph.of(1, 3, dir.resolve("none"), "first\nlast"))
        .isEqualTo(new Loss(Loss.Cause.EXITED, "worker process 1 exited with 3: last"));
    assertThat(Epitaph.of(1, 0, dir.resolve("none"), "").detail())
        .isEqualTo("worker process 1 exited with 0");
  }

  @Test
  void shouldSayWhereNativeCodeCrashed() throws IOException {
    Path errors =
        Files.writeString(
            dir.resolve("crash"),
            """
            #
            # A fatal error has been detected by the Java Runtime Environment:
            #
            #  SIGSEGV (0xb) at pc=0x00007f, pid=1, tid=2
            #
            # Problematic frame:
            # C  [libcustom.so+0x1234]
            """);
    assertThat(Epitaph.of(1, 1, errors, "out"))
        .isEqualTo(
            new Loss(
                Loss.Cause.SIGNALLED,
                "worker process 1 crashed: SIGSEGV (0xb) at pc=0x00007f in C "
                    + " [libcustom.so+0x1234]"));
  }
}
