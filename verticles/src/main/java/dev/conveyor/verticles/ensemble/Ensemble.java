package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.ensemble.CriticalPath;
import dev.conveyor.models.ensemble.EnsemblePlan;
import dev.conveyor.models.ensemble.PlannedStep;
import dev.conveyor.models.ensemble.Readers;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.HandOver;
import dev.conveyor.verticles.metrics.ModelStats;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What the requests of one loaded ensemble share. Thread-safe.
 *
 * @param limits by step: who may run it
 * @param shares of the cores, for steps that need no model
 * @param path the steps that every request takes
 * @param readers who reads what steps give
 * @param builtIn what is told of the steps that need no model, by name
 * @param members finds the models of steps
 */
public record Ensemble(
    EnsemblePlan plan,
    List<StepLimit> limits,
    CoreShares shares,
    CriticalPath path,
    Readers readers,
    HandOver handOver,
    Map<String, ServedModel> builtIn,
    Members members) {

  /** The models that are served. */
  @FunctionalInterface
  public interface Members {

    /** Returns what serves a step now; null if nothing does. */
    @Nullable ServedModel find(PlannedStep step);
  }

  /**
   * Creates it for a plan.
   *
   * @param maxInflightRequests most requests that one step has under way; 0 for no limit
   * @param weight share of the cores for steps that need no model, against other ensembles
   * @param stats counters of the steps that need no model, by name
   * @param members asked on any thread
   */
  public static Ensemble of(
      EnsemblePlan plan,
      int maxInflightRequests,
      double weight,
      Function<String, ModelStats> stats,
      Members members) {
    List<StepLimit> limits = new ArrayList<>();
    for (int i = 0; i < plan.steps().size(); i++) {
      limits.add(new StepLimit(maxInflightRequests));
    }
    return new Ensemble(
        plan,
        List.copyOf(limits),
        CoreShares.of(weight),
        CriticalPath.of(plan.graph()),
        Readers.of(plan),
        new HandOver(),
        BuiltInSteps.of(plan, stats),
        members);
  }
}
