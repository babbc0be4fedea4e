package dev.conveyor.verticles.cli;

import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.verticles.ConveyorServer;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.ServerInfo;
import dev.conveyor.verticles.supervisor.InstancePlan;
import dev.conveyor.verticles.supervisor.SupervisorEvents;
import java.io.PrintStream;
import java.util.Locale;

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
        "loaded   %s version %s: %d instance%s x %d thread%s, %.1f MiB weights, %.0f ms%n",
        model,
        version,
        plan.instances(),
        plan.instances() == 1 ? "" : "s",
        plan.threads(),
        plan.threads() == 1 ? "" : "s",
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
