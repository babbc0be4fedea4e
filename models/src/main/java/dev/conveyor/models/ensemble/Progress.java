package dev.conveyor.models.ensemble;

import java.util.ArrayList;
import java.util.List;

/**
 * Which steps of one request may run. Not thread-safe: owned by the run of the request.
 *
 * <p>Invariant: a step is returned once, when the last of the tensors it reads is there.
 */
public final class Progress {

  private final EnsemblePlan plan;
  private final boolean[] there;
  private final boolean[] begun;
  private int unfinished;

  public Progress(EnsemblePlan plan) {
    this.plan = plan;
    this.there = new boolean[plan.uses().size()];
    this.begun = new boolean[plan.steps().size()];
    this.unfinished = plan.steps().size();
  }

  /** The inputs are there; returns the steps that may run. */
  public List<EnsemblePlan.PlannedStep> start() {
    arrived(plan.inputs());
    return ready();
  }

  /** A step has given its outputs; returns the steps that may run now. */
  public List<EnsemblePlan.PlannedStep> done(EnsemblePlan.PlannedStep step) {
    unfinished--;
    arrived(step.outputs());
    return ready();
  }

  public boolean isFinished() {
    return unfinished == 0;
  }

  private void arrived(List<EnsemblePlan.Binding> bindings) {
    for (EnsemblePlan.Binding binding : bindings) {
      there[binding.slot()] = true;
    }
  }

  private List<EnsemblePlan.PlannedStep> ready() {
    List<EnsemblePlan.PlannedStep> ready = new ArrayList<>();
    for (EnsemblePlan.PlannedStep step : plan.steps()) {
      if (!begun[step.index()]
          && step.inputs().stream().allMatch(binding -> there[binding.slot()])) {
        begun[step.index()] = true;
        ready.add(step);
      }
    }
    return ready;
  }
}
