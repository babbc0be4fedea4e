package dev.conveyor.models.ensemble;

import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.config.EnsembleConfig;
import dev.conveyor.models.steps.Step;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * One step.
 *
 * @param index as in the configuration, from 0
 * @param version of the model, or {@link EnsembleConfig#LATEST}
 * @param step what runs if there is no model
 * @param inputs of the model or step, each with the slot it comes from
 * @param outputs that the ensemble has a name for; others are dropped
 * @param when slot of the condition
 * @param unless the step runs where the condition does not hold
 * @param needsRows it is skipped where one of its inputs has no rows
 * @param signature what it takes and gives here, full shapes
 */
public record PlannedStep(
    int index,
    String model,
    long version,
    Optional<Step> step,
    List<Binding> inputs,
    List<Binding> outputs,
    OptionalInt when,
    boolean unless,
    boolean needsRows,
    ModelSignature signature)
    implements Node {

  public PlannedStep {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
  }

  /** Returns the name in messages. */
  public String label() {
    return "step " + index + " (model '" + model + "')";
  }
}
