package dev.conveyor.verticles.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cuda.Gpu;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class GpuFamiliesTest {

  @Test
  void shouldTellThePinnedMemoryOfRequestsUnderTritonsNames() {
    SystemSnapshot.GpuLine gpu =
        new SystemSnapshot.GpuLine(new Gpu(0, "GPU-1", "g", 80, 1000), Optional.empty(), "");
    SystemSnapshot system =
        new SystemSnapshot(
            List.of(),
            List.of(),
            List.of(new SystemSnapshot.Device("GPU0", "GPU", 0, 0, 0, 1000, Map.of(), gpu)),
            new SystemSnapshot.Requests(300, 4096));
    PrometheusText out = new PrometheusText();

    GpuFamilies.write(system, out);

    assertThat(out.toString())
        .contains("# TYPE nv_pinned_memory_pool_total_bytes gauge")
        .contains("\nnv_pinned_memory_pool_total_bytes 4096\n")
        .contains("\nnv_pinned_memory_pool_used_bytes 300\n");
  }

  @Test
  void shouldTellNothingOfPinnedMemoryWithoutAGpu() {
    PrometheusText out = new PrometheusText();

    GpuFamilies.write(SystemSnapshot.EMPTY, out);

    assertThat(out.toString()).isEmpty();
  }
}
