package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.InstanceGroup;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Finds the GPUs that an {@code instance_group} names, by number or by UUID. Stateless. */
final class NamedGpus {

  private NamedGpus() {}

  /**
   * Returns them, in the order in which they are named; all if it names none.
   *
   * @param gpus that this process may use
   * @throws ModelLoadException if one is not there, or a UUID is the beginning of several
   */
  static List<Gpu> of(InstanceGroup group, List<Gpu> gpus) {
    if (!group.namesGpus()) {
      return gpus;
    }
    List<Gpu> named = new ArrayList<>();
    group.gpus().forEach(ordinal -> named.add(numbered(ordinal, gpus)));
    group.gpuUuids().forEach(uuid -> named.add(withUuid(uuid, gpus)));
    return named;
  }

  private static Gpu numbered(int ordinal, List<Gpu> gpus) {
    return gpus.stream()
        .filter(gpu -> gpu.ordinal() == ordinal)
        .findFirst()
        .orElseThrow(
            () ->
                new ModelLoadException(
                    "gpus: there is no GPU %d, only %s"
                        .formatted(ordinal, gpus.stream().map(Gpu::ordinal).toList())));
  }

  private static Gpu withUuid(String uuid, List<Gpu> gpus) {
    List<Gpu> meant = gpus.stream().filter(gpu -> gpu.uuid().startsWith(uuid)).toList();
    if (meant.isEmpty()) {
      throw new ModelLoadException(
          "gpu_uuids: there is no %s, only %s".formatted(uuid, uuids(gpus)));
    }
    if (meant.size() > 1) {
      throw new ModelLoadException(
          "gpu_uuids: %s is the beginning of %s".formatted(uuid, uuids(meant)));
    }
    return meant.get(0);
  }

  private static String uuids(List<Gpu> gpus) {
    return gpus.stream().map(Gpu::uuid).collect(Collectors.joining(", "));
  }
}
