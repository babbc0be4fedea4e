package dev.conveyor.verticles.cli;

import dev.conveyor.verticles.supervisor.InstancePlan;
import dev.conveyor.verticles.supervisor.SupervisorEvents;
import java.io.PrintWriter;

/** Prints why a model did not load, and nothing else. Thread-safe: the stream is the only state. */
final class LoadFailures implements SupervisorEvents {

  private final PrintWriter err;

  LoadFailures(PrintWriter err) {
    this.err = err;
  }

  @Override
  public void onLoading(String model) {}

  @Override
  public void onReady(
      String model, String version, InstancePlan plan, long reservedBytes, long tookNs) {}

  @Override
  public void onLoadFailed(String model, String reason) {
    err.printf("FAILED   %s: %s%n", model, reason);
    err.flush();
  }

  @Override
  public void onUnloaded(String model) {}
}
