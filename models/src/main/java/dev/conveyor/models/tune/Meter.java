package dev.conveyor.models.tune;

import java.time.Duration;

/** Runs a model with a setting under the load that settings are compared by. */
@FunctionalInterface
public interface Meter {

  /**
   * Measures for so long, after a warm-up of its own. Blocks.
   *
   * @return the figures, or why the setting cannot be used
   * @throws Exception if nothing can be measured at all
   */
  Measurement measure(Setting setting, Duration length) throws Exception;
}
