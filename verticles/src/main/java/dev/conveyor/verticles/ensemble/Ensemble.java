package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.ensemble.EnsemblePlan;
import dev.conveyor.models.ensemble.Readers;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.HandOver;
import dev.conveyor.verticles.metrics.ModelStats;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * What the requests of one loaded ensemble share. Thread-safe.
 *
 * @param limits by step: who may run it
 * @param readers who reads what steps give
 * @param builtIn what is told of the steps that need no model, by name
 */
public record Ensemble(
    EnsemblePlan plan,
    List<StepLimit> limits,
    Readers readers,
    HandOver handOver,
    Map<String, ServedModel> builtIn) {

  /**
   * Creates it for a plan.
   *
   * @param maxInflightRequests most requests that one step has under way; 0 for no limit
   * @param stats counters of the steps that need no model, by name
   */
  public static Ensemble of(
      EnsemblePlan plan, int maxInflightRequests, Function<String, ModelStats> stats) {
    List<StepLimit> limits = new ArrayList<>();
    for (int i = 0; i < plan.steps().size(); i++) {
      limits.add(new StepLimit(maxInflightRequests));
    }
    return new Ensemble(
        plan, List.copyOf(limits), Readers.of(plan), new HandOver(), BuiltInSteps.of(plan, stats));
  }
}
