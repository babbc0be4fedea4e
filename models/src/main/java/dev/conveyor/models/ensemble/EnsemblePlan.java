package dev.conveyor.models.ensemble;

import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.config.EnsembleConfig;
import dev.conveyor.models.steps.Step;
import java.util.List;
import java.util.Optional;

/**
 * An ensemble that was checked: every tensor has a slot, every step knows the slots it reads and
 * writes. Immutable, thread-safe.
 *
 * @param steps in the order of the configuration
 * @param inputs what requests bring, and where it goes
 * @param outputs what requests get, in the order of the configuration
 * @param uses by slot: how many steps and outputs read it
 * @param signature as clients see it
 */
public record EnsemblePlan(
    List<PlannedStep> steps,
    List<Binding> inputs,
    List<Binding> outputs,
    List<Integer> uses,
    ModelSignature signature) {

  public EnsemblePlan {
    steps = List.copyOf(steps);
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
    uses = List.copyOf(uses);
  }

  /** A tensor of a model or of the ensemble, and the slot that holds it. */
  public record Binding(String name, int slot) {}

  /**
   * One step.
   *
   * @param index as in the configuration, from 0
   * @param version of the model, or {@link EnsembleConfig#LATEST}
   * @param step what runs if there is no model
   * @param inputs of the model or step, each with the slot it comes from
   * @param outputs that the ensemble has a name for; others are dropped
   */
  public record PlannedStep(
      int index,
      String model,
      long version,
      Optional<Step> step,
      List<Binding> inputs,
      List<Binding> outputs) {

    public PlannedStep {
      inputs = List.copyOf(inputs);
      outputs = List.copyOf(outputs);
    }

    /** Returns the name in messages. */
    public String label() {
      return "step " + index + " (model '" + model + "')";
    }
  }
}
