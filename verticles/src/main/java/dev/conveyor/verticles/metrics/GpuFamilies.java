package dev.conveyor.verticles.metrics;

import dev.conveyor.memory.cuda.GpuFigures;
import dev.conveyor.verticles.metrics.SystemSnapshot.Device;
import dev.conveyor.verticles.metrics.SystemSnapshot.GpuLine;
import java.util.List;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.function.Function;

/**
 * The metric families of GPUs, under Triton's names where it has one. What the driver does not tell
 * is left out. Thread-safe: no state.
 */
final class GpuFamilies {

  private GpuFamilies() {}

  static void write(SystemSnapshot system, PrometheusText out) {
    List<GpuLine> gpus =
        system.devices().stream().map(Device::gpu).filter(Objects::nonNull).toList();
    if (gpus.isEmpty()) {
      return;
    }
    out.gauge("nv_gpu_utilization", "GPU utilization rate [0.0 - 1.0)");
    doubles(gpus, GpuFigures::utilization, out);
    out.gauge("conveyor_gpu_sm_activity", "Multiprocessors that were busy [0.0 - 1.0]");
    doubles(gpus, GpuFigures::smActivity, out);
    out.gauge(
        "conveyor_gpu_sm_occupancy", "Warps under way of those there is room for [0.0 - 1.0]");
    doubles(gpus, GpuFigures::smOccupancy, out);
    out.gauge("nv_gpu_memory_total_bytes", "GPU total memory, in bytes");
    longs(gpus, GpuFigures::memoryTotalBytes, out);
    out.gauge("nv_gpu_memory_used_bytes", "GPU used memory, in bytes");
    longs(gpus, GpuFigures::memoryUsedBytes, out);
    out.gauge("nv_gpu_power_usage", "GPU power usage in watts");
    doubles(gpus, GpuFigures::powerWatts, out);
    out.gauge("nv_gpu_power_limit", "GPU power management limit in watts");
    doubles(gpus, GpuFigures::powerLimitWatts, out);
    out.counter(
        "nv_energy_consumption", "GPU energy consumption in joules since the driver was loaded");
    doubles(gpus, GpuFigures::energyJoules, out);
    out.gauge(
        "nv_pinned_memory_pool_total_bytes",
        "Pinned memory pool total memory size, in bytes: what all requests may hold");
    out.sample("", system.requests().totalBytes());
    out.gauge(
        "nv_pinned_memory_pool_used_bytes",
        "Pinned memory pool used memory size, in bytes: what requests hold");
    out.sample("", system.requests().usedBytes());
    out.gauge("conveyor_gpu_temperature_celsius", "GPU temperature");
    longs(gpus, GpuFigures::temperatureCelsius, out);
    out.gauge("conveyor_gpu_lost", "1 if the GPU is lost to this process until it is started anew");
    for (GpuLine line : gpus) {
      out.sample(label(line), line.lost().isEmpty() ? 0L : 1L);
    }
    out.counter(
        "conveyor_gpu_peer_bytes_total",
        "Bytes of tensors copied to the GPU from others, straight or by the driver over the host");
    for (GpuLine line : gpus) {
      out.sample(peerLabels(line, "direct"), line.directBytes());
      out.sample(peerLabels(line, "staged"), line.stagedBytes());
    }
  }

  private static void doubles(
      List<GpuLine> gpus, Function<GpuFigures, OptionalDouble> figure, PrometheusText out) {
    for (GpuLine line : gpus) {
      line.figures()
          .map(figure)
          .filter(OptionalDouble::isPresent)
          .ifPresent(value -> out.sample(label(line), value.getAsDouble()));
    }
  }

  private static void longs(
      List<GpuLine> gpus, Function<GpuFigures, OptionalLong> figure, PrometheusText out) {
    for (GpuLine line : gpus) {
      line.figures()
          .map(figure)
          .filter(OptionalLong::isPresent)
          .ifPresent(value -> out.sample(label(line), value.getAsLong()));
    }
  }

  private static String peerLabels(GpuLine line, String way) {
    return PrometheusText.labels("gpu_uuid", line.gpu().uuid(), "way", way);
  }

  private static String label(GpuLine line) {
    return PrometheusText.labels("gpu_uuid", line.gpu().uuid());
  }
}
