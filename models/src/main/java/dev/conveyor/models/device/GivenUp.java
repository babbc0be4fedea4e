package dev.conveyor.models.device;

/** Hears that an instance was given up, and that it came back. From any thread; must not block. */
interface GivenUp {

  /** What ran may use the weights still, perhaps for ever. Told once. */
  void begins();

  /** Nothing of it runs any more, and its memory is given back. Told at most once, later. */
  default void ends() {}
}
