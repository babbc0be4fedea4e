package dev.conveyor.models.ensemble;

import java.util.List;
import java.util.OptionalInt;

/** Something that runs once its tensors are there. Immutable. */
public sealed interface Node permits PlannedStep, FanOut {

  /** Returns what it takes, each with the slot it comes from. */
  List<Binding> inputs();

  /** Returns what it gives, each with the slot it goes to. */
  List<Binding> outputs();

  /** Returns the slot of its condition, if it has one. */
  OptionalInt when();
}
