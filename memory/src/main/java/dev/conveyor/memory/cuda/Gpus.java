package dev.conveyor.memory.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The GPUs that this process may use, found once at start. Immutable; thread-safe.
 *
 * <p>The CUDA runtime has the say on which there are, and so on {@code CUDA_VISIBLE_DEVICES}; NVML
 * knows what it does not: what else is in the machine, and how a device is. Nothing here fails: a
 * machine without a GPU has none, and a line that says why.
 *
 * @param cuda null if there is none
 * @param nvml null if it cannot be used
 * @param usable in the order of CUDA's numbers
 * @param notes for a person: why something that is there, or was asked for, is not used; a line
 *     each
 */
public record Gpus(@Nullable Cuda cuda, @Nullable Nvml nvml, List<Gpu> usable, List<String> notes) {

  /** Environment variable by which CUDA lets a process see fewer devices. */
  public static final String VISIBLE = "CUDA_VISIBLE_DEVICES";

  public Gpus {
    usable = List.copyOf(usable);
    notes = List.copyOf(notes);
  }

  /** Returns a machine whose GPUs are not to be looked for. */
  public static Gpus none(String reason) {
    return new Gpus(null, null, List.of(), List.of(reason));
  }

  /**
   * Looks for GPUs. Takes under a second; never fails.
   *
   * @param minComputeCapability 10 * major + minor; devices below are not used
   */
  public static Gpus find(int minComputeCapability) {
    return find(minComputeCapability, System.getenv(VISIBLE));
  }

  static Gpus find(int minComputeCapability, @Nullable String visible) {
    CudaLibraries.Found found = CudaLibraries.find();
    Nvml.Opened opened = Nvml.open();
    Nvml nvml = opened.nvml();
    List<Nvml.Unit> units = nvml == null ? List.of() : nvml.units();
    List<String> notes = new ArrayList<>();
    Cuda cuda = found.cuda();
    if (cuda == null) {
      notes.add(found.reason() + describe(nvml, units));
    } else if (nvml == null) {
      notes.add(opened.reason() + ": no utilisation, power or temperature");
    }
    if (visible != null && !units.isEmpty()) {
      VisibleDevices.problem(visible, units).ifPresent(notes::add);
    }
    List<Gpu> usable = new ArrayList<>();
    if (cuda != null) {
      try {
        for (int i = 0; i < cuda.deviceCount(); i++) {
          Gpu gpu = describe(cuda, nvml, i);
          if (gpu.computeCapability() >= minComputeCapability) {
            usable.add(gpu);
          } else {
            notes.add(
                "%s (%s) is not used: compute capability %s, min_compute_capability is %s"
                    .formatted(
                        gpu.device(),
                        gpu.name(),
                        version(gpu.computeCapability()),
                        version(minComputeCapability)));
          }
        }
      } catch (CudaException e) {
        usable.clear();
        notes.add("the GPUs cannot be used: " + e.getMessage());
      }
    }
    return new Gpus(usable.isEmpty() ? null : cuda, nvml, usable, notes);
  }

  private static Gpu describe(Cuda cuda, @Nullable Nvml nvml, int ordinal) {
    String id = cuda.uuid(ordinal);
    String uuid = "GPU-" + id;
    Optional<String> name = Optional.empty();
    if (nvml != null) {
      name = nvml.nameOf(uuid);
      if (name.isEmpty()) {
        name = nvml.nameOf("MIG-" + id);
        uuid = name.isPresent() ? "MIG-" + id : uuid;
      }
    }
    return new Gpu(
        ordinal,
        uuid,
        name.orElseGet(() -> cuda.name(ordinal)),
        cuda.computeCapability(ordinal),
        cuda.totalBytes(ordinal));
  }

  private static String describe(@Nullable Nvml nvml, List<Nvml.Unit> units) {
    return nvml == null || units.isEmpty()
        ? ""
        : "; driver %s shows %s".formatted(nvml.driverVersion(), VisibleDevices.list(units));
  }

  /** Returns {@code 9.0} for 90. */
  public static String version(int computeCapability) {
    return String.format(Locale.ROOT, "%d.%d", computeCapability / 10, computeCapability % 10);
  }
}
