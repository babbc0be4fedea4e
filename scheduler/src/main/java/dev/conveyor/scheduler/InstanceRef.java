package dev.conveyor.scheduler;

/**
 * One instance of a model.
 *
 * @param key {@link ModelPlan#key} of its model
 * @param index tells the instances of a model apart
 * @param device name of the {@link DeviceSpec} it runs on
 * @param threads cores that one batch keeps busy; meaningless on a GPU
 */
public record InstanceRef(String key, int index, String device, int threads) {

  public InstanceRef {
    if (threads < 1) {
      throw new IllegalArgumentException(key + ": an instance has 1 thread or more: " + threads);
    }
  }
}
