package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.GpuFigures;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.memory.cuda.NvidiaLibraries;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** Which device it is, what NVML tells of it, and which libraries are there. */
final class EnvironmentCheck implements Check {

  private static final double GIB = 1 << 30;

  @Override
  public String name() {
    return "environment";
  }

  @Override
  public String what() {
    return "NVML tells how the device is; libraries and versions";
  }

  @Override
  public Finding run(CheckSite site) {
    Gpu gpu = site.gpu();
    String libraries =
        NvidiaLibraries.find().stream()
            .map(library -> library.name() + " " + (library.present() ? library.detail() : "-"))
            .collect(Collectors.joining(", "));
    Optional<GpuFigures> figures = site.figures();
    String line =
        String.format(
            Locale.ROOT,
            "%s, %s, compute capability %s, %.1f of %.1f GiB free%s; %s",
            gpu.name(),
            gpu.uuid(),
            Gpus.version(gpu.computeCapability()),
            site.cuda().freeBytes() / GIB,
            site.cuda().totalBytes() / GIB,
            figures.map(EnvironmentCheck::told).orElse(""),
            libraries);
    return Finding.of(figures.isPresent(), line, "NVML does not know " + gpu.uuid())
        .with("compute_capability", gpu.computeCapability() / 10.0)
        .with("total_bytes", (double) site.cuda().totalBytes())
        .with("free_bytes", (double) site.cuda().freeBytes());
  }

  private static String told(GpuFigures figures) {
    StringBuilder told = new StringBuilder();
    figures.powerWatts().ifPresent(w -> told.append(", ").append(Math.round(w)).append(" W"));
    figures.temperatureCelsius().ifPresent(c -> told.append(", ").append(c).append(" °C"));
    return told.toString();
  }
}
