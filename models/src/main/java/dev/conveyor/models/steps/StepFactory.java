package dev.conveyor.models.steps;

/**
 * Makes steps of one kind. Found by {@link java.util.ServiceLoader}; needs a public constructor
 * without parameters. Thread-safe.
 */
public interface StepFactory {

  /** Returns the name in configurations: {@code top_k} is the model {@code conveyor.top_k}. */
  String name();

  /**
   * Makes a step.
   *
   * @throws dev.conveyor.models.config.ConfigException under the key of a setting that is wrong
   */
  Step create(StepSettings settings);
}
