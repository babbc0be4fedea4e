package dev.conveyor.verticles.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HostFiguresTest {

  @TempDir Path proc;

  @Test
  void shouldCountReclaimableMemoryAsUnused() throws IOException {
    Files.writeString(
        proc.resolve("meminfo"),
        "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    600 kB\n");
    HostFigures host = new HostFigures(proc);
    assertThat(host.memoryTotalBytes()).hasValue(1_024_000);
    assertThat(host.memoryUsedBytes()).hasValue(409_600);
  }

  @Test
  void shouldSayNothingWhenTheSystemSaysNothing() throws IOException {
    HostFigures host = new HostFigures(proc);
    assertThat(host.memoryTotalBytes()).isEmpty();
    assertThat(host.memoryUsedBytes()).isEmpty();
    Files.writeString(proc.resolve("meminfo"), "MemTotal: ? kB\n");
    assertThat(host.memoryTotalBytes()).isEmpty();
  }
}
