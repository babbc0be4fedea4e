package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.conveyor.models.process.wire.SharedFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
  void shouldCountSharedMemoryThatAProcessMade() {
    assertThat(ProcessFiles.sharedIn("RssFile:\t 9 kB\nRssShmem:\t    12 kB\nVmSwap:\t 7 kB\n"))
        .isEqualTo(12 << 10);
    String smaps =
        """
        7f0a4c000000-7f0a5c000000 rw-s 00000000 00:01 1042    /dev/zero (deleted)
        Size:             262144 kB
        Rss:              200000 kB
        7f0a5c000000-7f0a5c200000 r--s 00000000 00:01 1042    /dev/shm/weights
        Rss:                2048 kB
        7f0a5c200000-7f0a5c400000 rw-p 00000000 00:00 0       [heap]
        Rss:                1024 kB
        7f0a5c400000-7f0a5c401000 rw-s 00000000 00:1a 77      /dev/shm/page
        Rss:                   4 kB
        """;
    assertThat(ProcessFiles.writableSharedIn(smaps)).isEqualTo(200_004L << 10);
    assertThat(ProcessFiles.writableSharedIn("")).as("it is gone").isZero();
  }

  @Test
  void shouldHoldAgainstAProcessTheSharedMemoryThatItWasNotLent() throws IOException {
    Path shared = Path.of("/dev/shm");
    assumeTrue(Files.isWritable(shared), "no file system in memory");
    long pid = ProcessHandle.current().pid();
    int bytes = 32 << 20;
    Path path = shared.resolve("conveyor-test-" + pid);
    try (SharedFile file = SharedFile.create(path, bytes)) {
      for (int at = 0; at < bytes; at += 4096) {
        file.bytes().put(at, (byte) 1);
      }
      file.unlink();
      long all = ProcessFiles.heldBytes(pid, 0, 0);
      assertThat(all - ProcessFiles.heldBytes(pid, bytes, 0)).isGreaterThan(bytes / 2);
      assertThat(all - ProcessFiles.heldBytes(pid, 0, Long.MAX_VALUE))
          .as("nobody looks while it does not matter")
          .isGreaterThan(bytes / 2);
    }
    assertThat(ProcessFiles.heldBytes(1L << 40, 0, 0)).as("it is gone").isZero();
  }

  @Test
  void shouldFindNothingAboutAProcessThatIsWell() {
    assertThat(ProcessFiles.endingSignal(ProcessHandle.current().pid())).isZero();
    assertThat(ProcessFiles.endingSignal(1L << 40)).isZero();
  }
}
