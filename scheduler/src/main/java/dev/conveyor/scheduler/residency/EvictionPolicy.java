package dev.conveyor.scheduler.residency;

/**
 * Ranks models by what keeping them is worth.
 *
 * <p>Not thread-safe: owned by whoever evicts. Models need no registration; what was never asked
 * for has the least value.
 */
public interface EvictionPolicy {

  /** Takes note that a model was asked for {@code count} times since the last call. */
  void onRequests(String model, long count);

  /**
   * Returns the worth of keeping a model; the least goes first. Only comparable with values that
   * were asked for at the same moment.
   *
   * @param costPerByte what loading it again costs per byte that evicting it frees
   */
  double value(String model, double costPerByte);

  /** Takes note that a model went, at the value that it had. */
  void onEvicted(String model, double value);

  /** Drops what is known about a model that is not served any more. */
  void forget(String model);
}
