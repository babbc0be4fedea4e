package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.device.GpuModel;
import dev.conveyor.models.device.PipelineTrace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * When the batches of a model were copied and computed, by the device's own events. Immutable.
 *
 * @param computeShare share of the time that computing was under way, 0 to 1
 * @param file for {@code chrome://tracing}, beside the results
 */
record Timeline(double computeShare, Path file) {

  private static final double SECONDS = 0.2;

  /**
   * Runs full batches for a short while and keeps when they did what. After figures are measured,
   * never while: to ask for times takes the host calls of its own.
   *
   * @param name of the check
   */
  static Timeline record(CheckSite site, GpuModel model, String name, List<Item> items, int batch)
      throws Exception {
    PipelineTrace trace = new PipelineTrace();
    site.place().traceTo(trace);
    try {
      Throughput unused = Throughput.measure(site, model, items, batch, SECONDS);
    } finally {
      site.place().traceTo(null);
    }
    return new Timeline(trace.computeShare(), write(site, name, trace));
  }

  private static Path write(CheckSite site, String name, PipelineTrace trace) throws IOException {
    Path file = site.keep().resolve("timeline-" + name + ".json");
    return Files.writeString(file, ChromeTrace.of(site.gpu().name(), trace).encode());
  }
}
