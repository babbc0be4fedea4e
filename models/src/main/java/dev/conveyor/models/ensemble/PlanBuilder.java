package dev.conveyor.models.ensemble;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.EnsembleConfig;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.TensorConfig;
import dev.conveyor.models.ensemble.EnsemblePlan.Binding;
import dev.conveyor.models.ensemble.EnsemblePlan.PlannedStep;
import dev.conveyor.models.steps.Step;
import dev.conveyor.models.steps.StepSettings;
import dev.conveyor.models.steps.Steps;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Checks an ensemble against the models it names, and plans it. Steps are taken in the order in
 * which their tensors come to be; whatever is left when none can be taken waits for a tensor that
 * nobody gives, or for itself.
 *
 * <p>Not thread-safe: owned by one load.
 */
public final class PlanBuilder {

  private static final String KEY = "ensemble_scheduling.step";

  private final ModelConfig config;
  private final EnsembleConfig ensemble;
  private final Member.Lookup members;
  private final Steps steps;
  private final Map<String, Integer> slots = new LinkedHashMap<>();
  private final Map<String, TensorSpec> specs = new HashMap<>();
  private final List<Integer> uses = new ArrayList<>();

  private PlanBuilder(ModelConfig config, Member.Lookup members, Steps steps) {
    this.config = config;
    this.ensemble = config.ensemble().orElseThrow();
    this.members = members;
    this.steps = steps;
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
    List<TensorSpec> inputSpecs = declared(config.inputs());
    List<Binding> inputs = new ArrayList<>();
    for (TensorSpec spec : inputSpecs) {
      inputs.add(new Binding(spec.name(), give(spec.name(), spec, "input")));
    }
    requireOneGiver();
    PlannedStep[] planned = new PlannedStep[ensemble.steps().size()];
    boolean advanced = true;
    while (advanced) {
      advanced = false;
      for (int i = 0; i < planned.length; i++) {
        if (planned[i] == null && specs.keySet().containsAll(reads(i))) {
          planned[i] = plan(i);
          advanced = true;
        }
      }
    }
    for (int i = 0; i < planned.length; i++) {
      if (planned[i] == null) {
        throw stuck(i);
      }
    }
    List<TensorSpec> outputSpecs = declared(config.outputs());
    List<Binding> outputs = new ArrayList<>();
    for (int i = 0; i < outputSpecs.size(); i++) {
      outputs.add(new Binding(outputSpecs.get(i).name(), output(i, outputSpecs.get(i))));
    }
    return new EnsemblePlan(
        List.of(planned),
        inputs,
        outputs,
        uses,
        new ModelSignature(inputSpecs, outputSpecs, Math.max(0, config.maxBatchSize())));
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

  private int give(String tensor, TensorSpec spec, String key) {
    if (specs.put(tensor, spec) != null) {
      throw new ConfigException(key, "tensor \"" + tensor + "\" is given twice");
    }
    slots.put(tensor, slots.size());
    uses.add(0);
    return slots.size() - 1;
  }

  private int take(String tensor) {
    Integer slot = slots.get(tensor);
    if (slot == null) {
      throw new IllegalStateException(tensor + " has no slot");
    }
    uses.set(slot, uses.get(slot) + 1);
    return slot;
  }

  private List<String> reads(int index) {
    return List.copyOf(ensemble.steps().get(index).inputMap().values());
  }

  private void requireOneGiver() {
    Map<String, String> givers = new HashMap<>();
    config.inputs().forEach(input -> givers.put(input.name(), "an input of the ensemble"));
    for (int i = 0; i < ensemble.steps().size(); i++) {
      String key = KEY + "[" + i + "].output_map";
      for (String tensor : ensemble.steps().get(i).outputMap().values()) {
        String before = givers.put(tensor, "an output of step " + i);
        if (before != null) {
          throw new ConfigException(key, "tensor \"" + tensor + "\" is " + before + " already");
        }
      }
    }
    for (int i = 0; i < ensemble.steps().size(); i++) {
      for (String tensor : reads(i)) {
        if (!givers.containsKey(tensor)) {
          throw new ConfigException(
              KEY + "[" + i + "].input_map",
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
        reads(index).stream().filter(t -> !specs.containsKey(t)).findFirst().orElseThrow();
    for (int i = 0; i < ensemble.steps().size(); i++) {
      if (ensemble.steps().get(i).outputMap().containsValue(missing)) {
        return i;
      }
    }
    throw new IllegalStateException(missing + " has no giver");
  }

  private PlannedStep plan(int index) {
    EnsembleConfig.Step step = ensemble.steps().get(index);
    Map<String, String> settings = settings(index);
    try {
      return Steps.isStep(step.model()) ? planStep(index, step, settings) : planModel(index, step);
    } catch (ConfigException e) {
      throw e.key().startsWith(StepSettings.KEY) ? e : e.under(KEY + "[" + index + "]");
    } catch (InferenceException e) {
      throw new ConfigException(
          KEY + "[" + index + "].model_name",
          "a model that is served",
          "\"" + step.model() + "\": " + e.getMessage());
    }
  }

  private PlannedStep planModel(int index, EnsembleConfig.Step step) {
    Member member = members.find(step.model(), step.version());
    if (config.batches() && member.maxBatchSize() < config.maxBatchSize()) {
      throw new ConfigException(
          "model_name",
          "a model with a max_batch_size of at least that of the ensemble, "
              + config.maxBatchSize(),
          "\"" + step.model() + "\" with " + member.maxBatchSize());
    }
    List<Binding> inputs = new ArrayList<>();
    requireNames("input_map", step.inputMap(), names(member.inputs()), true);
    for (int i = 0; i < member.inputs().size(); i++) {
      String name = member.inputs().get(i).name();
      String tensor = tensor(step.inputMap(), name);
      TensorSpec given = spec(tensor);
      if (!agree(member.inputs().get(i), given) && !agree(member.tensors().get(i), given)) {
        throw mismatch("input_map." + name, member.inputs().get(i), tensor, given);
      }
      inputs.add(new Binding(name, take(tensor)));
    }
    return planned(index, step, Optional.empty(), inputs, member.outputs());
  }

  private PlannedStep planStep(int index, EnsembleConfig.Step step, Map<String, String> settings) {
    Step made = steps.create(step.model(), new StepSettings(index, settings));
    requireNames("input_map", step.inputMap(), made.inputs(), true);
    List<Binding> inputs = new ArrayList<>();
    List<TensorSpec> given = new ArrayList<>();
    for (String name : made.inputs()) {
      String tensor = tensor(step.inputMap(), name);
      TensorSpec spec = spec(tensor);
      given.add(new TensorSpec(name, spec.type(), spec.shape()));
      inputs.add(new Binding(name, take(tensor)));
    }
    return planned(index, step, Optional.of(made), inputs, made.outputs(given));
  }

  private PlannedStep planned(
      int index,
      EnsembleConfig.Step step,
      Optional<Step> made,
      List<Binding> inputs,
      List<TensorSpec> given) {
    requireNames("output_map", step.outputMap(), names(given), false);
    List<Binding> outputs = new ArrayList<>();
    for (TensorSpec spec : given) {
      String tensor = step.outputMap().get(spec.name());
      if (tensor != null) {
        TensorSpec renamed = new TensorSpec(tensor, spec.type(), spec.shape());
        outputs.add(new Binding(spec.name(), give(tensor, renamed, "output_map")));
      }
    }
    return new PlannedStep(index, step.model(), step.version(), made, inputs, outputs);
  }

  private int output(int index, TensorSpec wanted) {
    String key = "output[" + index + "]";
    TensorSpec given = specs.get(wanted.name());
    if (given == null) {
      throw new ConfigException(
          key + ".name", "a tensor that a step gives", "\"" + wanted.name() + "\"");
    }
    if (!agree(wanted, given)) {
      throw mismatch(key, wanted, wanted.name(), given);
    }
    return take(wanted.name());
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

  private static void requireNames(
      String key, Map<String, String> map, List<String> names, boolean all) {
    for (String name : map.keySet()) {
      if (!names.contains(name)) {
        throw new ConfigException(key, "one of " + names, "\"" + name + "\"");
      }
    }
    for (String name : names) {
      if (all && !map.containsKey(name)) {
        throw new ConfigException(key, "a tensor for the input \"" + name + "\"", "none");
      }
    }
  }

  private static String tensor(Map<String, String> map, String name) {
    String tensor = map.get(name);
    if (tensor == null) {
      throw new IllegalStateException(name + " is not mapped");
    }
    return tensor;
  }

  private TensorSpec spec(String tensor) {
    TensorSpec spec = specs.get(tensor);
    if (spec == null) {
      throw new IllegalStateException(tensor + " is not given");
    }
    return spec;
  }

  private static List<String> names(List<TensorSpec> specs) {
    return specs.stream().map(TensorSpec::name).toList();
  }

  private static ConfigException mismatch(
      String key, TensorSpec wanted, String tensor, @Nullable TensorSpec given) {
    String found = given == null ? "nothing" : given.type().configName() + " " + given.shape();
    return new ConfigException(
        key,
        wanted.type().configName() + " " + wanted.shape(),
        "tensor \"" + tensor + "\", which is " + found);
  }

  private static boolean agree(TensorSpec a, TensorSpec b) {
    if (a.type() != b.type() || a.shape().rank() != b.shape().rank()) {
      return false;
    }
    for (int i = 0; i < a.shape().rank(); i++) {
      long x = a.shape().dim(i);
      long y = b.shape().dim(i);
      if (x != y && x != Shape.DYNAMIC && y != Shape.DYNAMIC) {
        return false;
      }
    }
    return true;
  }
}
