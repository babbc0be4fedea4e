package dev.conveyor.models.ensemble;

import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.EnsembleConfig;
import dev.conveyor.models.config.StepFlow;
import dev.conveyor.models.steps.Step;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What is known of steps and tensors before they get slots. Immutable. */
final class Wiring {

  /** The scope of tensors of which a request has one. */
  static final int REQUEST = 0;

  private Wiring() {}

  /** How a step reads a tensor. */
  enum Mode {
    /** As it is, in the scope it is from. */
    SAME,
    /** A tensor of the request, by a step that runs per item. */
    WHOLE,
    /** A row of a tensor of the request, by a step that runs per item. */
    ROW,
    /** All items of a tensor, by a step that runs once. */
    JOINED
  }

  /** A tensor, read in one way. */
  record Read(String tensor, Mode mode) {}

  /**
   * A tensor of the ensemble.
   *
   * @param scope {@link #REQUEST}, or the number of the fan-out it has an item for each of
   * @param optional the step that gives it may be skipped
   */
  record Held(int scope, TensorSpec spec, boolean optional) {}

  /**
   * A fan-out.
   *
   * @param first number of the step it begins with
   * @param apart tensors that are taken apart
   */
  record Group(int first, Set<String> apart, int maxItems, StepFlow.Excess onExcess) {}

  /** An input or output of a model, and the tensor behind it. */
  record Wire(String name, Read read) {}

  /** A step that fits. */
  record Wired(
      int index,
      EnsembleConfig.Step config,
      int scope,
      Optional<Step> step,
      List<Wire> inputs,
      @Nullable Read when,
      boolean unless,
      List<Wire> outputs,
      boolean needsRows,
      ModelSignature signature) {

    PlannedStep planned(Slots slots) {
      List<Binding> in = inputs.stream().map(w -> slots.take(w.name(), w.read())).toList();
      return new PlannedStep(
          index,
          config.model(),
          config.version(),
          step,
          in,
          outputs.stream().map(w -> slots.give(w.name(), w.read())).toList(),
          when == null
              ? OptionalInt.empty()
              : OptionalInt.of(slots.take(when.tensor(), when).slot()),
          unless,
          needsRows,
          signature);
    }
  }
}
