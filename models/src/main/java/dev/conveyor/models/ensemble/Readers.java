package dev.conveyor.models.ensemble;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Who reads what the steps of an ensemble give: models and steps that work where their input lies,
 * or somebody who needs it on the host, as the client, a condition, a join and most steps without a
 * model do. Immutable, thread-safe.
 */
public final class Readers {

  /** By step; null for those that give everything on the host. */
  private final List<@Nullable ByOutput> steps = new ArrayList<>();

  /**
   * Of one step that is a model, works where its input lies, or makes what it gives on a device.
   *
   * @param outputs those that the ensemble has a name for
   * @param models by output: the steps that read it; null if others do too
   */
  private record ByOutput(List<String> outputs, List<@Nullable List<PlannedStep>> models) {}

  /** Says whether a model is where an output is, or a step works there. */
  @FunctionalInterface
  public interface Where {
    boolean isOnlyThere(PlannedStep reader);
  }

  private Readers(int count) {
    for (int i = 0; i < count; i++) {
      steps.add(null);
    }
  }

  /** Finds the readers of every step, also of those inside of fan-outs. */
  public static Readers of(EnsemblePlan plan) {
    Readers readers = new Readers(plan.steps().size());
    readers.find(plan.graph());
    return readers;
  }

  private void find(StepGraph graph) {
    for (Node node : graph.nodes()) {
      if (node instanceof FanOut fanOut) {
        find(fanOut.body());
      } else if (node instanceof PlannedStep step && givesOnDevice(step)) {
        List<String> names = new ArrayList<>();
        List<@Nullable List<PlannedStep>> models = new ArrayList<>();
        for (Binding output : step.outputs()) {
          List<PlannedStep> found = new ArrayList<>();
          names.add(output.name());
          models.add(onlyModels(graph, output.slot(), found) ? found : null);
        }
        steps.set(step.index(), new ByOutput(names, models));
      }
    }
  }

  private static boolean givesOnDevice(PlannedStep step) {
    for (Binding input : step.inputs()) {
      if (readsOnDevice(step, input.name())) {
        return true;
      }
    }
    return step.step().isEmpty() || step.step().get().makesOnDevice();
  }

  private static boolean readsOnDevice(PlannedStep step, String input) {
    return step.step().isEmpty() || step.step().get().worksOnDevice(input);
  }

  /** Returns whether nobody else reads a slot; adds the steps that do. */
  private static boolean onlyModels(StepGraph graph, int slot, List<PlannedStep> found) {
    boolean only = !holds(graph.outputs(), slot);
    for (Node node : graph.nodes()) {
      only &= node.when().isEmpty() || node.when().getAsInt() != slot;
      for (int i = 0; i < node.inputs().size(); i++) {
        if (node.inputs().get(i).slot() != slot) {
          continue;
        }
        if (node instanceof FanOut fanOut) {
          StepGraph body = fanOut.body();
          only &= onlyModels(body, body.inputs().get(i).slot(), found);
        } else if (node instanceof PlannedStep step) {
          only &= readsOnDevice(step, node.inputs().get(i).name());
          found.add(step);
        }
      }
    }
    return only;
  }

  private static boolean holds(List<Binding> bindings, int slot) {
    for (Binding binding : bindings) {
      if (binding.slot() == slot) {
        return true;
      }
    }
    return false;
  }

  /** Returns whether nobody needs an output of the step on the host, wherever its readers are. */
  public boolean anyByModelsOnly(PlannedStep step) {
    ByOutput byOutput = steps.get(step.index());
    return byOutput != null && byOutput.models().stream().anyMatch(found -> found != null);
  }

  /**
   * Returns whether nobody needs an output on the host, and all of its readers are there; of a step
   * that works there, those of what it gives, too. One that the ensemble has no name for is read by
   * nobody.
   */
  public boolean mayStay(PlannedStep step, String output, Where where) {
    ByOutput byOutput = steps.get(step.index());
    if (byOutput == null) {
      return false;
    }
    int at = byOutput.outputs().indexOf(output);
    List<PlannedStep> models = at < 0 ? List.of() : byOutput.models().get(at);
    if (models == null) {
      return false;
    }
    for (int i = 0; i < models.size(); i++) {
      PlannedStep reader = models.get(i);
      if (!where.isOnlyThere(reader) || !(reader.step().isEmpty() || givesThere(reader, where))) {
        return false;
      }
    }
    return true;
  }

  private boolean givesThere(PlannedStep step, Where where) {
    for (Binding output : step.outputs()) {
      if (!mayStay(step, output.name(), where)) {
        return false;
      }
    }
    return true;
  }
}
