package dev.conveyor.models.ensemble;

import dev.conveyor.models.ModelSignature;
import java.util.List;

/**
 * An ensemble that was checked: every tensor has a slot, every step knows the slots it reads and
 * writes. Immutable, thread-safe.
 *
 * @param graph of the request; its inputs and outputs are in the order of the configuration
 * @param steps all of them, also those inside of fan-outs, in the order of the configuration
 * @param signature as clients see it
 */
public record EnsemblePlan(StepGraph graph, List<PlannedStep> steps, ModelSignature signature) {

  public EnsemblePlan {
    steps = List.copyOf(steps);
  }
}
