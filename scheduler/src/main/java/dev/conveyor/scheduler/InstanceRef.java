package dev.conveyor.scheduler;

/**
 * One instance of a model.
 *
 * @param key {@link ModelPlan#key} of its model
 * @param index tells the instances of a model apart
 * @param device name of the {@link DeviceSpec} it runs on
 * @param threads cores that one batch keeps busy; meaningless on a GPU
 * @param idleThreads the same of a batch that runs while nothing else wants the cores; {@code
 *     threads} if there is no difference
 */
public record InstanceRef(String key, int index, String device, int threads, int idleThreads) {

  public InstanceRef {
    if (threads < 1) {
      throw new IllegalArgumentException(key + ": an instance has 1 thread or more: " + threads);
    }
    if (idleThreads < threads) {
      throw new IllegalArgumentException(
          key + ": fewer threads alone, " + idleThreads + ", than beside others, " + threads);
    }
  }

  /** Creates an instance whose batches always take as many threads. */
  public InstanceRef(String key, int index, String device, int threads) {
    this(key, index, device, threads, threads);
  }
}
