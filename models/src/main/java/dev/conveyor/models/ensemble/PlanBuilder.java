package dev.conveyor.models.ensemble;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.EnsembleConfig;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.TensorConfig;
import dev.conveyor.models.ensemble.Wiring.Held;
import dev.conveyor.models.ensemble.Wiring.Mode;
import dev.conveyor.models.ensemble.Wiring.Read;
import dev.conveyor.models.ensemble.Wiring.Wire;
import dev.conveyor.models.ensemble.Wiring.Wired;
import dev.conveyor.models.steps.StepSettings;
import dev.conveyor.models.steps.Steps;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Checks an ensemble against the models it names, and plans it. Steps are taken in the order in
 * which their tensors come to be; whatever is left when none can be taken waits for a tensor that
 * nobody gives, or for itself.
 *
 * <p>Not thread-safe: owned by one load.
 */
public final class PlanBuilder {

  private static final String KEY = "ensemble_scheduling.step";

  /** Stands for the number of the step that gives a tensor. */
  private static final int INPUT = -1;

  private final ModelConfig config;
  private final EnsembleConfig ensemble;
  private final Tensors tensors = new Tensors();
  private final Scopes scopes;
  private final StepWiring wiring;

  private PlanBuilder(ModelConfig config, Member.Lookup members, Steps steps) {
    this.config = config;
    this.ensemble = config.ensemble().orElseThrow();
    this.scopes = new Scopes(config.extensions().stepFlows(), tensors);
    this.wiring = new StepWiring(config, members, steps, tensors, scopes);
  }

  /**
   * Plans an ensemble.
   *
   * @throws ConfigException without a file: whoever read the configuration knows it
   */
  public static EnsemblePlan build(ModelConfig config, Member.Lookup members, Steps steps) {
    return new PlanBuilder(config, members, steps).build();
  }

  private EnsemblePlan build() {
    requireKnownSettings();
    List<TensorSpec> inputs = declared(config.inputs());
    for (TensorSpec spec : inputs) {
      tensors.give(spec.name(), new Held(Wiring.REQUEST, spec, false), "input");
    }
    requireOneGiver();
    Wired[] wired = new Wired[ensemble.steps().size()];
    boolean advanced = true;
    while (advanced) {
      advanced = false;
      for (int i = 0; i < wired.length; i++) {
        if (wired[i] == null && tensors.containsAll(reads(i))) {
          wired[i] = wire(i);
          advanced = true;
        }
      }
    }
    for (int i = 0; i < wired.length; i++) {
      if (wired[i] == null) {
        throw stuck(i);
      }
    }
    List<TensorSpec> outputs = declared(config.outputs());
    List<Wire> results = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      results.add(result(i, outputs.get(i)));
    }
    return new GraphAssembler(tensors, scopes, List.of(wired), results)
        .assemble(
            SpecChecks.names(inputs),
            new ModelSignature(inputs, outputs, Math.max(0, config.maxBatchSize())));
  }

  private List<TensorSpec> declared(List<TensorConfig> tensors) {
    List<TensorSpec> declared = new ArrayList<>();
    for (TensorConfig tensor : tensors) {
      Shape shape = config.batches() ? tensor.dims().withBatch(Shape.DYNAMIC) : tensor.dims();
      if (tensor.type() == null) {
        throw new ConfigException(tensor.name() + ".data_type", "a type", "nothing");
      }
      declared.add(new TensorSpec(tensor.name(), tensor.type(), shape));
    }
    return declared;
  }

  private List<String> reads(int index) {
    List<String> reads = new ArrayList<>(ensemble.steps().get(index).inputMap().values());
    String when = scopes.when(index);
    if (when != null) {
      reads.add(when);
    }
    return reads;
  }

  private void requireOneGiver() {
    Map<String, Integer> givers = new HashMap<>();
    config.inputs().forEach(input -> givers.put(input.name(), INPUT));
    for (int i = 0; i < ensemble.steps().size(); i++) {
      String key = KEY + "[" + i + "].output_map";
      for (String tensor : ensemble.steps().get(i).outputMap().values()) {
        Integer before = givers.put(tensor, i);
        if (before == null) {
          continue;
        }
        if (tensors.hasAlternatives(tensor) || !scopes.areAlternatives(before, i)) {
          String giver =
              before == INPUT ? "an input of the ensemble" : "an output of step " + before;
          throw new ConfigException(key, "tensor \"" + tensor + "\" is " + giver + " already");
        }
        tensors.expectAlternatives(tensor);
      }
    }
    for (int i = 0; i < ensemble.steps().size(); i++) {
      String when = scopes.when(i);
      for (String tensor : reads(i)) {
        if (!givers.containsKey(tensor)) {
          throw new ConfigException(
              tensor.equals(when)
                  ? scopes.key(i, scopes.runsUnless(i) ? "unless" : "when")
                  : KEY + "[" + i + "].input_map",
              "an input of the ensemble or an output of a step",
              "\"" + tensor + "\", which is neither");
        }
      }
    }
  }

  /** Every tensor has a giver, so what is left goes in a circle, or waits for one that does. */
  private ConfigException stuck(int first) {
    List<Integer> path = new ArrayList<>();
    int at = first;
    while (!path.contains(at)) {
      path.add(at);
      at = giverOfMissing(at);
    }
    StringBuilder cycle = new StringBuilder();
    for (int step : path.subList(path.indexOf(at), path.size())) {
      cycle.append("step ").append(step).append(" waits for ");
    }
    return new ConfigException(
        KEY + "[" + at + "].input_map", "a cycle: " + cycle.append("step ").append(at));
  }

  private int giverOfMissing(int index) {
    String missing =
        reads(index).stream().filter(t -> tensors.find(t) == null).findFirst().orElseThrow();
    for (int i = 0; i < ensemble.steps().size(); i++) {
      // Of two that give it, one may be known already.
      if (ensemble.steps().get(i).outputMap().containsValue(missing)
          && !tensors.containsAll(reads(i))) {
        return i;
      }
    }
    throw new IllegalStateException(missing + " has no giver");
  }

  private Wired wire(int index) {
    EnsembleConfig.Step step = ensemble.steps().get(index);
    try {
      return wiring.wire(index, step);
    } catch (ConfigException e) {
      boolean full =
          e.key().startsWith(StepSettings.KEY) || e.key().startsWith(ModelConfig.EXTENSIONS_KEY);
      throw full ? e : e.under(KEY + "[" + index + "]");
    } catch (InferenceException e) {
      throw new ConfigException(
          KEY + "[" + index + "].model_name",
          "a model that is served",
          "\"" + step.model() + "\": " + e.getMessage());
    }
  }

  /** What has an item each is joined; what may be skipped has no rows then. */
  private Wire result(int index, TensorSpec wanted) {
    String key = "output[" + index + "]";
    Held held = tensors.find(wanted.name());
    if (held == null) {
      throw new ConfigException(
          key + ".name", "a tensor that a step gives", "\"" + wanted.name() + "\"");
    }
    Read read = scopes.read(Wiring.REQUEST, wanted.name(), false);
    TensorSpec given = tensors.seen(read);
    if (!SpecChecks.agree(wanted, given)) {
      throw SpecChecks.mismatch(key, wanted, wanted.name(), given);
    }
    boolean anyRows = read.mode() == Mode.JOINED || held.optional();
    if (anyRows && (wanted.shape().rank() == 0 || wanted.shape().dim(0) != Shape.DYNAMIC)) {
      throw new ConfigException(
          key + ".dims",
          "-1 as the first dimension of tensor \""
              + wanted.name()
              + "\", which has as many rows as there are items, none if its step is skipped",
          wanted.shape());
    }
    return new Wire(wanted.name(), read);
  }

  private void requireKnownSettings() {
    for (String key : config.parameters().keySet()) {
      boolean known = !key.startsWith("step[");
      for (int i = 0; i < ensemble.steps().size(); i++) {
        known |=
            key.startsWith("step[" + i + "].") && Steps.isStep(ensemble.steps().get(i).model());
      }
      if (!known) {
        throw new ConfigException(
            "parameters." + key, "no step without a model has this number, steps count from 0");
      }
    }
  }
}
