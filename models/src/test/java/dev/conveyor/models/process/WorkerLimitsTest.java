package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.config.ProcessIsolation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a worker may use, as the worker itself sees it. */
final class WorkerLimitsTest {

  private static final String MEMORY = "Max data size";
  private static final String FILES = "Max open files";
  private static final String CORES = "Cpus_allowed_list:";
  private static final String DEVICES = "CUDA_VISIBLE_DEVICES=";

  @TempDir private Path dir;

  @Test
  void shouldStartUnderItsLimits() throws Exception {
    String core = line(ReportingWorker.report(), CORES).split("[-,]", -1)[0];
    ProcessIsolation config = new ProcessIsolation(512L << 20, 200, core, Duration.ofSeconds(10));

    String report = report(ProcessLimits.of(config, "GPU-1011"));

    assertThat(line(report, MEMORY)).isEqualTo("536870912 536870912 bytes");
    assertThat(line(report, FILES)).isEqualTo("200 200 files");
    assertThat(line(report, CORES)).isEqualTo(core);
    assertThat(line(report, DEVICES)).isEqualTo("GPU-1011");
  }

  /** A server that is larger than a child which takes all memory must not go in its place. */
  @Test
  void shouldGoBeforeTheServerWhereTheMachinesMemoryRunsOut() throws Exception {
    assertThat(line(report(ProcessLimits.NONE), "oom_score_adj=")).isEqualTo("1000");
    assertThat(line(ReportingWorker.report(), "oom_score_adj=")).isNotEqualTo("1000");
  }

  @Test
  void shouldHaveWhatTheServerHasWithoutLimitsButNoDevice() throws Exception {
    String own = ReportingWorker.report();

    String report = report(ProcessLimits.NONE);

    assertThat(line(report, MEMORY)).isEqualTo(line(own, MEMORY));
    assertThat(line(report, FILES)).isEqualTo(line(own, FILES));
    assertThat(line(report, CORES)).isEqualTo(line(own, CORES));
    assertThat(line(report, DEVICES)).isEmpty();
  }

  private String report(ProcessLimits limits) throws Exception {
    Path file = Files.writeString(dir.resolve("model"), "good");
    MemoryBudget budget = new MemoryBudget("CPU", 64L << 20);
    try (Workers workers =
        new Workers(dir, ReportingWorker.class.getName(), Duration.ofMinutes(5))) {
      new ProcessBackend(workers, FaultyBackend.class, "faulty", limits)
          .load(file, Runs.options(budget))
          .close();
    }
    return Files.readString(Path.of(file + ReportingWorker.REPORT));
  }

  private static String line(String report, String name) {
    return Arrays.stream(report.split("\n", -1))
        .filter(line -> line.startsWith(name))
        .map(line -> line.substring(name.length()).strip().replaceAll("\\s+", " "))
        .findFirst()
        .orElseThrow();
  }
}
