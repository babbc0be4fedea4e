package dev.conveyor.models.config;

import java.util.Locale;

/**
 * How a model lives in the memory of its device.
 *
 * @param limitBytes most that all its versions and instances together may hold; 0 for no limit but
 *     the device's
 */
public record ModelMemory(Residency residency, long limitBytes) {

  /** When a model is in memory. */
  public enum Residency {
    /** Loaded at start; stays until it is unloaded. */
    PINNED,
    /** Loaded at start if there is room; goes when another model needs the room. */
    RESIDENT,
    /** Loaded when the first request comes; goes when another model needs the room. */
    ON_DEMAND;

    /** Returns the word in configurations. */
    public String key() {
      return name().toLowerCase(Locale.ROOT);
    }

    static Residency ofKey(String key) {
      for (Residency residency : values()) {
        if (residency.key().equals(key)) {
          return residency;
        }
      }
      throw new ConfigException(
          "residency", "\"pinned\", \"resident\" or \"on_demand\"", "\"" + key + "\"");
    }
  }

  public static final ModelMemory DEFAULT = new ModelMemory(Residency.PINNED, 0);

  public ModelMemory {
    if (limitBytes < 0) {
      throw new ConfigException("memory_limit_bytes", "0 or more", limitBytes);
    }
  }
}
