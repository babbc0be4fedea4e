package dev.conveyor.verticles.metrics;

import dev.conveyor.memory.cpu.CpuFigures;
import dev.conveyor.verticles.metrics.SystemSnapshot.Device;
import dev.conveyor.verticles.metrics.SystemSnapshot.Instance;
import dev.conveyor.verticles.metrics.SystemSnapshot.Model;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** The metric families of queues, instances, devices and the host. Thread-safe: no state. */
final class SystemFamilies {

  private SystemFamilies() {}

  static void write(SystemSnapshot system, PrometheusText out) {
    out.gauge(
        "nv_inference_pending_request_count",
        "Instantaneous number of pending requests awaiting execution per-model.");
    for (Model model : system.models()) {
      out.sample(labels(model), model.queuedRequests());
    }
    out.gauge("conveyor_running_batches", "Batches that run now");
    for (Model model : system.models()) {
      out.sample(labels(model), model.runningBatches());
    }
    instances(system, out);
    devices(system, out);
    system.devices().forEach(device -> cpu(device.cpu(), out));
  }

  private static void cpu(CpuFigures cpu, PrometheusText out) {
    cpu.utilization()
        .ifPresent(
            v -> out.gauge("nv_cpu_utilization", "CPU utilization rate [0.0 - 1.0]").sample("", v));
    cpu.powerWatts()
        .ifPresent(
            v ->
                out.gauge("conveyor_cpu_power_usage", "CPU power usage in watts, of all packages")
                    .sample("", v));
    cpu.temperatureCelsius()
        .ifPresent(
            v ->
                out.gauge(
                        "conveyor_cpu_temperature_celsius",
                        "CPU temperature of the hottest package")
                    .sample("", v));
  }

  /** Writes what the operating system tells; families it does not tell are left out. */
  static void writeHost(HostFigures host, PrometheusText out) {
    host.memoryTotalBytes()
        .ifPresent(
            v ->
                out.gauge("nv_cpu_memory_total_bytes", "CPU total memory (RAM), in bytes")
                    .sample("", v));
    host.memoryUsedBytes()
        .ifPresent(
            v ->
                out.gauge("nv_cpu_memory_used_bytes", "CPU used memory (RAM), in bytes")
                    .sample("", v));
    host.processCpuSeconds()
        .ifPresent(
            v ->
                out.counter("process_cpu_seconds_total", "CPU time spent by this process")
                    .sample("", v));
    host.residentBytes()
        .ifPresent(
            v ->
                out.gauge("process_resident_memory_bytes", "Memory of this process in RAM")
                    .sample("", v));
  }

  private static void instances(SystemSnapshot system, PrometheusText out) {
    out.gauge("conveyor_instances", "Instances by model, device and state");
    Map<String, Long> counts =
        system.instances().stream()
            .collect(
                Collectors.groupingBy(SystemFamilies::labels, TreeMap::new, Collectors.counting()));
    counts.forEach(out::sample);
  }

  private static void devices(SystemSnapshot system, PrometheusText out) {
    out.gauge("conveyor_device_busy_fraction", "Share of its time that the device computes");
    for (Device device : system.devices()) {
      out.sample(
          PrometheusText.labels("device", device.name(), "kind", device.kind()),
          device.busyFraction());
    }
    out.gauge("conveyor_device_memory_capacity_bytes", "Memory that may be reserved");
    for (Device device : system.devices()) {
      out.sample(PrometheusText.labels("device", device.name()), device.memoryCapacityBytes());
    }
    out.gauge("conveyor_device_memory_reserved_bytes", "Memory that is reserved, by owner");
    for (Device device : system.devices()) {
      new TreeMap<>(device.holderBytes())
          .forEach(
              (owner, bytes) ->
                  out.sample(
                      PrometheusText.labels("device", device.name(), "owner", owner), bytes));
    }
  }

  private static String labels(Model model) {
    return PrometheusText.labels("model", model.name(), "version", model.version());
  }

  private static String labels(Instance i) {
    return PrometheusText.labels(
        "model", i.model(), "version", i.version(), "device", i.device(), "state", i.state());
  }
}
