package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.ensemble.EnsemblePlan;
import dev.conveyor.verticles.metrics.HandOver;
import java.util.ArrayList;
import java.util.List;

/**
 * What the requests of one loaded ensemble share. Thread-safe.
 *
 * @param limits by step: who may run it
 */
public record Ensemble(EnsemblePlan plan, List<StepLimit> limits, HandOver handOver) {

  /**
   * Creates it for a plan.
   *
   * @param maxInflightRequests most requests that one step has under way; 0 for no limit
   */
  public static Ensemble of(EnsemblePlan plan, int maxInflightRequests) {
    List<StepLimit> limits = new ArrayList<>();
    for (int i = 0; i < plan.steps().size(); i++) {
      limits.add(new StepLimit(maxInflightRequests));
    }
    return new Ensemble(plan, List.copyOf(limits), new HandOver());
  }
}
