package dev.conveyor.verticles.cli;

import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.models.device.GpuPlace;
import dev.conveyor.verticles.ConveyorServer;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.ServerInfo;
import dev.conveyor.verticles.supervisor.InstancePlan;
import dev.conveyor.verticles.supervisor.SupervisorEvents;
import java.io.PrintStream;
import java.util.Locale;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Prints what a server found and how loading goes, a line each. Thread-safe: the stream is the only
 * state.
 */
final class StartupLog implements SupervisorEvents {

  private final PrintStream out;

  StartupLog(PrintStream out) {
    this.out = out;
  }

  static void printAddresses(PrintStream out, ConveyorServer server, ServerConfig config) {
    out.printf("%s %s%n", ServerInfo.NAME, ServerInfo.VERSION);
    out.printf("device   %s%n", server.machine());
    for (GpuPlace place : server.gpus().all()) {
      Gpu gpu = place.gpu();
      out.printf(
          Locale.ROOT,
          "device   %s: %s, compute capability %s, %.1f GiB, %.1f GiB for models, %s%s%n",
          gpu.device(),
          gpu.name(),
          Gpus.version(gpu.computeCapability()),
          gpu.totalBytes() / 0x1p30,
          place.budget().capacityBytes() / 0x1p30,
          gpu.uuid(),
          server.gpus().peersOf(place).stream()
              .map(peer -> ", peer access to " + peer)
              .collect(Collectors.joining()));
    }
    for (String note : server.gpus().notes()) {
      out.printf("gpu      %s%n", note);
    }
    out.printf("models   %s%n", config.modelRepository());
    out.printf(
        "http     http://%s:%d  (live page at /)%n", config.http().host(), server.httpPort());
    out.printf("grpc     %s:%d%n", config.grpc().host(), server.grpcPort());
    out.printf("metrics  http://%s:%d/metrics%n", config.metrics().host(), server.metricsPort());
    if (config.eventBus().enabled()) {
      out.printf("bus      %s.infer%n", config.eventBus().addressPrefix());
    }
  }

  static void printReady(PrintStream out, ConveyorServer server, long tookNs) {
    out.printf(
        Locale.ROOT,
        "ready    %d models after %.2f s, %.1f MiB reserved%n",
        server.catalog().all().stream().filter(ServedModel::isLoaded).count(),
        tookNs / 1e9,
        server.budget().reservedBytes() / 0x1p20);
  }

  @Override
  public void onLoading(String model) {
    out.printf("loading  %s%n", model);
  }

  @Override
  public void onReady(
      String model, String version, InstancePlan plan, long reservedBytes, long tookNs) {
    if (plan.instances() == 0) {
      out.printf(
          Locale.ROOT, "loaded   %s version %s: ensemble, %.0f ms%n", model, version, tookNs / 1e6);
      out.flush();
      return;
    }
    out.printf(
        Locale.ROOT,
        "loaded   %s version %s: %d instance%s x %d thread%s on %s, %.1f MiB weights, %.0f ms%n",
        model,
        version,
        plan.instances(),
        plan.instances() == 1 ? "" : "s",
        plan.threads(),
        plan.threads() == 1 ? "" : "s",
        String.join(", ", new TreeSet<>(plan.devices())),
        reservedBytes / 0x1p20,
        tookNs / 1e6);
  }

  @Override
  public void onLoadFailed(String model, String reason) {
    out.printf("FAILED   %s: %s%n", model, reason);
  }

  @Override
  public void onUnloaded(String model) {
    out.printf("unloaded %s%n", model);
  }

  @Override
  public void onCold(String model, long bytes) {
    out.printf(Locale.ROOT, "cold     %s: loads on request, %.1f MiB%n", model, bytes / 0x1p20);
  }
}
