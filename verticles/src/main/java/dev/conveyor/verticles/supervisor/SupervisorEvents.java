package dev.conveyor.verticles.supervisor;

/** Told about every change of what is served. Called on the supervisor's context. */
public interface SupervisorEvents {

  void onLoading(String model);

  void onReady(String model, String version, InstancePlan plan, long reservedBytes, long tookNs);

  /** The model could not be loaded; what served before still serves. */
  void onLoadFailed(String model, String reason);

  void onUnloaded(String model);

  /**
   * The model takes requests and is not in memory, at first or again.
   *
   * @param bytes that it will hold, as far as is known
   */
  default void onCold(String model, long bytes) {}
}
