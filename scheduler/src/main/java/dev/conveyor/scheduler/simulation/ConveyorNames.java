package dev.conveyor.scheduler.simulation;

/** What simulated models are called towards the production core. */
public final class ConveyorNames {

  /** The one version of every model. */
  public static final String VERSION = "1";

  private ConveyorNames() {}
}
