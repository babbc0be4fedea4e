package dev.conveyor.models.tune;

/** What is believed of a setting before it is run. */
@FunctionalInterface
public interface Prior {

  /** Returns the expected worth, as {@link Objective#worth} orders measured ones. */
  double worth(Setting setting);
}
