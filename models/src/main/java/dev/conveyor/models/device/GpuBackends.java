package dev.conveyor.models.device;

import dev.conveyor.models.config.ModelConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;

/** The GPU backends of this program. Thread-safe: immutable. */
public final class GpuBackends {

  private final List<GpuBackend> backends;

  /** Takes them in the order of their {@link GpuBackend#preference}. */
  public GpuBackends(List<GpuBackend> backends) {
    this.backends =
        backends.stream()
            .sorted(Comparator.comparingInt(GpuBackend::preference).reversed())
            .toList();
  }

  /** Returns those on the class path. */
  public static GpuBackends find() {
    List<GpuBackend> found = new ArrayList<>();
    ServiceLoader.load(GpuBackend.class).forEach(found::add);
    return new GpuBackends(found);
  }

  /**
   * What there is for one model.
   *
   * @param usable backends to try, the best first
   * @param reason why there is none, in one line; empty if there is one
   */
  public record Choice(List<GpuBackend> usable, String reason) {
    public Choice {
      usable = List.copyOf(usable);
    }
  }

  /** Returns what can load a model on this machine. Blocking, for a second or so. */
  public Choice choose(Path file, ModelConfig config) {
    List<GpuBackend> usable = new ArrayList<>();
    List<String> reasons = new ArrayList<>();
    for (GpuBackend backend : backends) {
      if (backend.takes(file, config)) {
        String reason = backend.unavailable();
        if (reason.isEmpty()) {
          usable.add(backend);
        } else {
          reasons.add(backend.name() + ": " + reason);
        }
      }
    }
    if (!usable.isEmpty()) {
      return new Choice(usable, "");
    }
    return new Choice(
        List.of(),
        reasons.isEmpty()
            ? "no backend runs %s on a GPU".formatted(file.getFileName())
            : String.join("; ", reasons));
  }
}
