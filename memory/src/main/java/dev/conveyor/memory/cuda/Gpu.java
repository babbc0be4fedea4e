package dev.conveyor.memory.cuda;

/**
 * A device that this process may compute on: a GPU, or a MIG slice of one. Immutable.
 *
 * @param ordinal its number in {@link Cuda}, and in {@code gpus} of an {@code instance_group}
 * @param uuid as the driver's tools write it, {@code GPU-...} or {@code MIG-...}
 * @param name of the product; of a slice it ends with its profile, such as {@code MIG 1g.10gb}
 * @param computeCapability 10 * major + minor
 * @param totalBytes its memory
 */
public record Gpu(int ordinal, String uuid, String name, int computeCapability, long totalBytes) {

  /** Returns its name in the scheduler, the ledgers and the metrics. */
  public String device() {
    return "GPU" + ordinal;
  }

  public boolean isSlice() {
    return uuid.startsWith("MIG-");
  }
}
