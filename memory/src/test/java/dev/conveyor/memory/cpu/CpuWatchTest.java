package dev.conveyor.memory.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CpuWatchTest {

  @TempDir Path root;
  private final AtomicLong nowNs = new AtomicLong();
  private double load = 0.25;

  @Test
  void shouldKeepWhatTheLastLookFound() {
    FakeSys sys = new FakeSys(root).energy(0, "0");
    sys.put("thermal/thermal_zone0/type", "x86_pkg_temp")
        .put("thermal/thermal_zone0/temp", "45000");
    try (CpuWatch watch = new CpuWatch(root, () -> load, nowNs::get)) {
      assertThat(watch.latest()).isEqualTo(CpuFigures.NONE);
      watch.look();
      assertThat(watch.latest().utilization()).hasValue(0.25);
      assertThat(watch.latest().temperatureCelsius()).hasValue(45);
      assertThat(watch.latest().powerWatts()).isEmpty();

      sys.energy(0, "30000000");
      load = 1.1;
      nowNs.addAndGet(1_000_000_000);
      watch.look();
      assertThat(watch.latest().utilization()).hasValue(1);
      assertThat(watch.latest().powerWatts()).hasValue(30);
    }
  }

  @Test
  void shouldKnowNothingOfASystemThatTellsNothing() {
    load = -1;
    try (CpuWatch watch = new CpuWatch(root, () -> load, nowNs::get)) {
      watch.look();
      assertThat(watch.latest()).isEqualTo(CpuFigures.NONE);
    }
  }
}
