package dev.conveyor.verticles;

import dev.conveyor.models.device.GpuPlace;

/**
 * Decides when a GPU has been idle for long enough that what its models keep for later goes back:
 * when no batch has begun, and nobody has held outputs, from one look to the next.
 *
 * <p>Not thread-safe: owned by the thread that looks. Reads no clock.
 */
final class IdleTrim {

  private final GpuPlace place;
  private long seen = -1;
  private boolean trimmed;

  IdleTrim(GpuPlace place) {
    this.place = place;
  }

  /**
   * Looks, and trims if it is time to. Once per spell of idleness.
   *
   * @return bytes given back
   */
  long look() {
    long batches = place.batches();
    if (batches != seen || !place.isIdle()) {
      seen = batches;
      trimmed = false;
      return 0;
    }
    if (trimmed) {
      return 0;
    }
    trimmed = true;
    return place.trim();
  }
}
