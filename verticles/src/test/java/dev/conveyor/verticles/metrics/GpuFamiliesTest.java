package dev.conveyor.verticles.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cpu.CpuFigures;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.GpuFigures;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class GpuFamiliesTest {

  private static SystemSnapshot system(SystemSnapshot.GpuLine gpu) {
    return new SystemSnapshot(
        List.of(),
        List.of(),
        List.of(
            new SystemSnapshot.Device(
                "GPU0", "GPU", 0, 0, 0, 1000, Map.of(), gpu, CpuFigures.NONE)),
        new SystemSnapshot.Requests(300, 4096));
  }

  @Test
  void shouldTellWhatTheDriverTellsAndLeaveTheRestOut() {
    GpuFigures figures =
        new GpuFigures(
            OptionalDouble.of(0.9),
            OptionalDouble.of(0.75),
            OptionalDouble.empty(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalLong.empty());
    SystemSnapshot.GpuLine gpu =
        new SystemSnapshot.GpuLine(
            new Gpu(0, "GPU-1", "g", 90, 1000), Optional.of(figures), "", 7, 8);
    PrometheusText out = new PrometheusText();

    GpuFamilies.write(system(gpu), out);

    assertThat(out.toString())
        .contains("nv_gpu_utilization{gpu_uuid=\"GPU-1\"} 0.9")
        .contains("conveyor_gpu_peer_bytes_total{gpu_uuid=\"GPU-1\",way=\"direct\"} 7")
        .contains("conveyor_gpu_peer_bytes_total{gpu_uuid=\"GPU-1\",way=\"staged\"} 8")
        .contains("conveyor_gpu_sm_activity{gpu_uuid=\"GPU-1\"} 0.75")
        .doesNotContain("conveyor_gpu_sm_occupancy{")
        .doesNotContain("nv_gpu_power_usage{");
  }

  @Test
  void shouldTellThePinnedMemoryOfRequestsUnderTritonsNames() {
    SystemSnapshot.GpuLine gpu =
        new SystemSnapshot.GpuLine(new Gpu(0, "GPU-1", "g", 80, 1000), Optional.empty(), "", 0, 0);
    PrometheusText out = new PrometheusText();

    GpuFamilies.write(system(gpu), out);

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
