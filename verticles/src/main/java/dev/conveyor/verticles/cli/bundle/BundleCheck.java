package dev.conveyor.verticles.cli.bundle;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.CudaLibraries;
import dev.conveyor.memory.cuda.NvidiaLibraries;
import dev.conveyor.models.onnx.OnnxProviders;
import dev.conveyor.verticles.ServerInfo;
import java.util.ArrayList;
import java.util.List;

/** What this machine has for a server, one line for each thing. Stateless. */
final class BundleCheck {

  private BundleCheck() {}

  /** Looks, in under some seconds. Loads libraries; never fails. */
  static List<String> lines() {
    List<String> lines = new ArrayList<>();
    lines.add(line("conveyor", ServerInfo.VERSION));
    lines.add(
        line(
            "java",
            System.getProperty("java.runtime.version") + ", " + System.getProperty("java.home")));
    for (NvidiaLibraries.Found library : NvidiaLibraries.find()) {
      lines.add(line(library.name(), library.detail()));
    }
    lines.add(line("ONNX Runtime", providers()));
    lines.addAll(devices());
    return lines;
  }

  private static String providers() {
    try {
      return String.join(", ", OnnxProviders.compiledIn());
    } catch (LinkageError e) {
      return "cannot be loaded: " + e.getMessage();
    }
  }

  private static List<String> devices() {
    CudaLibraries.Found found = CudaLibraries.find();
    Cuda cuda = found.cuda();
    if (cuda == null) {
      return List.of(line("devices", "CPU only: " + found.reason()));
    }
    List<String> lines = new ArrayList<>();
    try {
      for (int device = 0; device < cuda.deviceCount(); device++) {
        cuda.useDevice(device);
        lines.add(
            line(
                "GPU " + device,
                "compute capability %.1f, %.1f of %.1f GiB free"
                    .formatted(
                        cuda.computeCapability(device) / 10.0,
                        cuda.freeBytes() / (double) (1 << 30),
                        cuda.totalBytes() / (double) (1 << 30))));
      }
    } catch (CudaException e) {
      lines.add(line("devices", "cannot be used: " + e.getMessage()));
    }
    return lines;
  }

  private static String line(String name, String value) {
    return "%-14s %s".formatted(name, value);
  }
}
