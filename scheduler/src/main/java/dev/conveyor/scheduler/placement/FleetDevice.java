package dev.conveyor.scheduler.placement;

/**
 * One device that models can be placed on.
 *
 * @param kind devices of one kind run a batch equally fast, but for {@code speed}
 * @param memoryBytes that the models of a {@link Layout} may take together
 * @param speed a batch takes the time of its kind divided by this
 * @param slots batches that run at once without slowing any down
 */
public record FleetDevice(String name, String kind, long memoryBytes, double speed, int slots) {

  public FleetDevice {
    if (memoryBytes < 0 || !(speed > 0) || slots < 1) {
      throw new IllegalArgumentException(
          "%s: memory >= 0, speed > 0, slots >= 1, were %d, %s, %d"
              .formatted(name, memoryBytes, speed, slots));
    }
  }
}
