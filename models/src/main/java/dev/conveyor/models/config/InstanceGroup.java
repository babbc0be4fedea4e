package dev.conveyor.models.config;

import java.util.List;

/**
 * Instances of a model on devices of one kind (Triton's {@code ModelInstanceGroup}).
 *
 * @param name name in logs and statistics; empty is named after the model
 * @param count instances on each device
 * @param gpus device indices; without these and UUIDs, every device of the kind
 * @param gpuUuids UUIDs of GPUs and MIG slices, or how they begin, besides {@code gpus}
 * @param isolation whether each instance runs in a process of its own
 * @param profile numbers of the TensorRT engine's optimisation profiles that its instances use, as
 *     they are tried; empty means all
 */
public record InstanceGroup(
    String name,
    Kind kind,
    int count,
    List<Integer> gpus,
    List<String> gpuUuids,
    Isolation isolation,
    List<Integer> profile) {

  /** Where instances run. */
  public enum Kind {
    KIND_AUTO,
    KIND_GPU,
    KIND_CPU
  }

  public static final InstanceGroup DEFAULT = new InstanceGroup("", Kind.KIND_AUTO, 1, List.of());

  /** Creates a group whose instances run in the server's process. */
  public InstanceGroup(String name, Kind kind, int count, List<Integer> gpus) {
    this(name, kind, count, gpus, List.of(), Isolation.NONE, List.of());
  }

  public InstanceGroup {
    gpus = List.copyOf(gpus);
    gpuUuids = List.copyOf(gpuUuids);
    profile = List.copyOf(profile);
    if (count < 1) {
      throw new ConfigException("count", "1 or more", count);
    }
    if (kind == Kind.KIND_CPU && !gpus.isEmpty()) {
      throw new ConfigException("gpus", "no device index for KIND_CPU", gpus);
    }
    if (kind == Kind.KIND_CPU && !gpuUuids.isEmpty()) {
      throw new ConfigException("gpu_uuids", "no GPU for KIND_CPU", gpuUuids);
    }
  }

  /** Returns whether it says which GPUs its instances are on. */
  public boolean namesGpus() {
    return !gpus.isEmpty() || !gpuUuids.isEmpty();
  }
}
