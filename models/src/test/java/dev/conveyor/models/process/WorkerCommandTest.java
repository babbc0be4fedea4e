package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ProcessIsolation;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;

final class WorkerCommandTest {

  private static final long MIB = 1 << 20;

  @Test
  void shouldGiveLargeOutputsAHeapThatHoldsThem() {
    assertThat(WorkerCommand.heapBytes(0, 16 * 1024 * MIB)).isEqualTo(2048 * MIB);
    assertThat(WorkerCommand.heapBytes(0, 512 * 1024 * MIB)).isEqualTo(4096 * MIB);
    assertThat(WorkerCommand.heapBytes(0, 1024 * MIB)).isEqualTo(256 * MIB);
    assertThat(WorkerCommand.heapBytes(8192 * MIB, 1024 * MIB)).isEqualTo(4096 * MIB);
    assertThat(WorkerCommand.heapBytes(100 * MIB, 1024 * MIB)).isEqualTo(256 * MIB);

    Path none = Path.of("none");
    ProcessLimits limits =
        ProcessLimits.of(new ProcessIsolation(4096 * MIB, 0, "", Duration.ofSeconds(1)), "");
    WorkerSpec spec = new WorkerSpec(FaultyBackend.class, limits, 1);
    assertThat(WorkerCommand.of("main", spec, none, none, none, "m").command())
        .contains("-Xmx" + 2048 * MIB);
  }
}
