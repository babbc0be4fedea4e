package dev.conveyor.models.repository;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.EnsembleConfig;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigCompleter;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.ensemble.Member;
import dev.conveyor.models.ensemble.PlanBuilder;
import dev.conveyor.models.steps.Steps;
import java.util.ArrayList;
import java.util.List;

/**
 * The ensembles of a repository and what they are made of, told from files alone. Thread-safe: it
 * holds nothing but the repository. Reads files: not for event loops.
 */
public final class Ensembles {

  private final ModelRepository repository;

  public Ensembles(ModelRepository repository) {
    this.repository = repository;
  }

  /** Returns whether a model's file says that it is one; false if it cannot be read. */
  public boolean isEnsemble(String model) {
    try {
      return repository.list().contains(model) && repository.open(model).readConfig().isEnsemble();
    } catch (ConfigException | RepositoryException e) {
      return false; // who loads it is told what is wrong
    }
  }

  /** Returns the ensembles among the models, those that others are made of first. */
  public List<String> inOrder(List<String> models) {
    List<String> ordered = new ArrayList<>();
    for (String model : models) {
      if (isEnsemble(model)) {
        add(model, ordered, new ArrayList<>());
      }
    }
    return ordered;
  }

  /**
   * Refuses ensembles that are made of themselves.
   *
   * @throws ConfigException that names the circle
   */
  public void requireNoCycle(ModelConfig config) {
    List<String> path = new ArrayList<>();
    path.add(config.name());
    requireNoCycle(config, path);
  }

  /**
   * Checks an ensemble against the files of its models.
   *
   * @throws ConfigException with the name of the file
   */
  void check(ModelConfig config, ModelInspector inspector) {
    try {
      requireNoCycle(config);
      PlanBuilder.build(
          config, (model, version) -> servable(model, version, inspector), Steps.onClassPath());
    } catch (ConfigException e) {
      ModelDirectory directory = repository.open(config.name());
      throw e.in(
          ModelConfigReader.file(directory.path()).orElse(directory.path()).toString(), e.line());
    }
  }

  /** What is wrong with a model's own files is not the ensemble's mistake. */
  private Member servable(String model, long version, ModelInspector inspector) {
    try {
      return member(model, version, inspector);
    } catch (ConfigException | RepositoryException e) {
      throw new InferenceException(ErrorCode.UNAVAILABLE, String.valueOf(e.getMessage()));
    }
  }

  private Member member(String model, long version, ModelInspector inspector) {
    if (!repository.list().contains(model)) {
      throw new InferenceException(ErrorCode.NOT_FOUND, "there is no such model in the repository");
    }
    ModelDirectory directory = repository.open(model);
    ModelConfig config = directory.readConfig();
    List<Long> served = directory.served(config);
    long wanted = version == EnsembleConfig.LATEST ? served.get(served.size() - 1) : version;
    if (!served.contains(wanted)) {
      throw new InferenceException(
          ErrorCode.NOT_FOUND, "version " + wanted + " is not served, but " + served);
    }
    if (config.isEnsemble()) {
      var nested =
          PlanBuilder.build(config, (m, v) -> servable(m, v, inspector), Steps.onClassPath());
      return new Member(
          nested.signature().inputs(),
          nested.signature().inputs(),
          nested.signature().outputs(),
          nested.signature().maxBatchSize());
    }
    Declared declared =
        inspector
            .inspect(directory.modelFile(wanted, config), config)
            .orElseThrow(
                () ->
                    new InferenceException(
                        ErrorCode.UNAVAILABLE,
                        "what it takes cannot be told without a GPU; its configuration can, with"
                            + " name, data_type and dims of every input and output"));
    var completed = directory.complete(config, declared.inputs(), declared.outputs());
    var client = ModelConfigCompleter.clientSignature(completed.config(), completed.signature());
    return new Member(
        client.inputs(),
        ModelConfigCompleter.tensorSignature(completed.config(), completed.signature()).inputs(),
        client.outputs(),
        completed.signature().maxBatchSize());
  }

  private void add(String model, List<String> ordered, List<String> path) {
    if (ordered.contains(model) || path.contains(model)) {
      return;
    }
    path.add(model);
    for (EnsembleConfig.Step step : steps(repository.open(model).readConfig())) {
      if (!Steps.isStep(step.model()) && isEnsemble(step.model())) {
        add(step.model(), ordered, path);
      }
    }
    ordered.add(model);
  }

  private void requireNoCycle(ModelConfig config, List<String> path) {
    for (EnsembleConfig.Step step : steps(config)) {
      if (path.contains(step.model())) {
        throw new ConfigException(
            "ensemble_scheduling.step",
            "a cycle of ensembles: " + String.join(" -> ", path) + " -> " + step.model());
      }
      if (!Steps.isStep(step.model()) && isEnsemble(step.model())) {
        path.add(step.model());
        requireNoCycle(repository.open(step.model()).readConfig(), path);
        path.remove(path.size() - 1);
      }
    }
  }

  private static List<EnsembleConfig.Step> steps(ModelConfig config) {
    return config.ensemble().map(EnsembleConfig::steps).orElse(List.of());
  }
}
