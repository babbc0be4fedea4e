package dev.conveyor.models.ensemble;

import static dev.conveyor.models.ensemble.SpecChecks.agree;
import static dev.conveyor.models.ensemble.SpecChecks.mismatch;
import static dev.conveyor.models.ensemble.SpecChecks.names;
import static dev.conveyor.models.ensemble.SpecChecks.requireNames;

import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.EnsembleConfig;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.ensemble.Wiring.Held;
import dev.conveyor.models.ensemble.Wiring.Mode;
import dev.conveyor.models.ensemble.Wiring.Read;
import dev.conveyor.models.ensemble.Wiring.Wire;
import dev.conveyor.models.ensemble.Wiring.Wired;
import dev.conveyor.models.steps.Step;
import dev.conveyor.models.steps.StepSettings;
import dev.conveyor.models.steps.Steps;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Checks one step against its model and the tensors it reads. Not thread-safe: owned by a load. */
final class StepWiring {

  private final ModelConfig config;
  private final Member.Lookup members;
  private final Steps steps;
  private final Tensors tensors;
  private final Scopes scopes;

  StepWiring(
      ModelConfig config, Member.Lookup members, Steps steps, Tensors tensors, Scopes scopes) {
    this.config = config;
    this.members = members;
    this.steps = steps;
    this.tensors = tensors;
    this.scopes = scopes;
  }

  /** Checks a step, all of whose tensors are known; gives its outputs. */
  Wired wire(int index, EnsembleConfig.Step step) {
    int scope = scopes.scope(index, step);
    Optional<Member> member = Optional.empty();
    Optional<Step> made = Optional.empty();
    if (Steps.isStep(step.model())) {
      made = Optional.of(steps.create(step.model(), new StepSettings(index, settings(index))));
    } else {
      member = Optional.of(members.find(step.model(), step.version()));
    }
    List<String> wanted = member.map(m -> names(m.inputs())).orElse(List.of());
    if (made.isPresent()) {
      wanted = made.get().inputs();
    }
    requireNames("input_map", step.inputMap(), wanted, true);
    List<Wire> inputs = new ArrayList<>();
    List<TensorSpec> given = new ArrayList<>();
    for (String name : wanted) {
      String tensor = step.inputMap().getOrDefault(name, "");
      Read read = scopes.read(scope, tensor, scopes.isApart(index, name));
      TensorSpec seen = tensors.seen(read);
      given.add(new TensorSpec(name, seen.type(), seen.shape()));
      inputs.add(new Wire(name, read));
    }
    List<TensorSpec> outputs =
        made.isPresent()
            ? made.get().outputs(given)
            : fit(step.model(), member.orElseThrow(), inputs, given);
    boolean needsRows = member.isPresent() && scopes.joins(index) && scope == Wiring.REQUEST;
    String when = scopes.when(index);
    Read condition = when == null ? null : scopes.readWhen(scope, when);
    // Its alternative runs where the condition skips it; what else may be missing is so for both.
    boolean maybe =
        needsRows
            || inputs.stream().anyMatch(w -> tensors.isOptional(w.read()))
            || (condition != null && tensors.isOptional(condition));
    return new Wired(
        index,
        step,
        scope,
        made,
        inputs,
        condition,
        scopes.runsUnless(index),
        give(step, outputs, scope, maybe, condition != null),
        needsRows,
        new ModelSignature(given, outputs, Math.max(0, config.maxBatchSize())));
  }

  /** The settings of steps are parameters of the ensemble, {@code step[1].k}. */
  private Map<String, String> settings(int index) {
    String prefix = "step[" + index + "].";
    Map<String, String> settings = new TreeMap<>();
    config
        .parameters()
        .forEach(
            (key, value) -> {
              if (key.startsWith(prefix)) {
                settings.put(key.substring(prefix.length()), value);
              }
            });
    return settings;
  }

  private List<TensorSpec> fit(
      String model, Member member, List<Wire> inputs, List<TensorSpec> given) {
    if (config.batches() && member.maxBatchSize() < config.maxBatchSize()) {
      throw new ConfigException(
          "model_name",
          "a model with a max_batch_size of at least that of the ensemble, "
              + config.maxBatchSize(),
          "\"" + model + "\" with " + member.maxBatchSize());
    }
    for (int i = 0; i < given.size(); i++) {
      TensorSpec seen = given.get(i);
      if (!agree(member.inputs().get(i), seen) && !agree(member.tensors().get(i), seen)) {
        throw mismatch(
            "input_map." + seen.name(),
            member.inputs().get(i),
            inputs.get(i).read().tensor(),
            seen);
      }
    }
    return member.outputs();
  }

  private List<Wire> give(
      EnsembleConfig.Step step,
      List<TensorSpec> given,
      int scope,
      boolean optional,
      boolean conditional) {
    requireNames("output_map", step.outputMap(), names(given), false);
    List<Wire> outputs = new ArrayList<>();
    for (TensorSpec spec : given) {
      String tensor = step.outputMap().get(spec.name());
      if (tensor != null) {
        TensorSpec renamed = new TensorSpec(tensor, spec.type(), spec.shape());
        boolean missing = optional || (conditional && !tensors.hasAlternatives(tensor));
        tensors.give(tensor, new Held(scope, renamed, missing), "output_map");
        outputs.add(new Wire(spec.name(), new Read(tensor, Mode.SAME)));
      }
    }
    return outputs;
  }
}
