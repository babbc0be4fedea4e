package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.EnsembleConfig;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.ensemble.EnsemblePlan;
import dev.conveyor.models.ensemble.Member;
import dev.conveyor.models.ensemble.PlanBuilder;
import dev.conveyor.models.ensemble.PlannedStep;
import dev.conveyor.models.repository.Ensembles;
import dev.conveyor.models.repository.ModelDirectory;
import dev.conveyor.models.repository.ModelRepository;
import dev.conveyor.models.steps.Steps;
import dev.conveyor.verticles.InstanceBoard;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.ensemble.Ensemble;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads ensembles and checks them against what is served. Thread-safe: no state of its own; every
 * method blocks.
 */
final class EnsembleLoader {

  private final ModelRepository repository;
  private final Ensembles ensembles;
  private final ModelCatalog catalog;
  private final Steps steps = Steps.onClassPath();

  EnsembleLoader(ModelRepository repository, ModelCatalog catalog) {
    this.repository = repository;
    this.ensembles = new Ensembles(repository);
    this.catalog = catalog;
  }

  /**
   * Returns whether this is an ensemble; false if that cannot be told.
   *
   * @param configJson replaces the configuration file; null reads the file
   */
  boolean isEnsemble(String name, @Nullable String configJson) {
    if (configJson == null) {
      return ensembles.isEnsemble(name);
    }
    try {
      return repository.list().contains(name)
          && ModelConfigReader.read(name, configJson).isEnsemble();
    } catch (ConfigException e) {
      return false; // the load tells what is wrong
    }
  }

  /** Returns the ensembles among the models, those that others are made of first. */
  List<String> inOrder(List<String> names) {
    return ensembles.inOrder(names);
  }

  /**
   * Loads an ensemble.
   *
   * @param configJson replaces the configuration file; null reads the file
   * @throws ConfigException if it does not fit the models that are served
   */
  ServedModel load(String name, @Nullable String configJson) {
    ModelDirectory directory = repository.open(name);
    ModelConfig config =
        configJson == null
            ? directory.readConfig()
            : ModelConfigReader.read(directory.name(), configJson);
    List<Long> versions = directory.served(config);
    EnsemblePlan plan;
    try {
      ensembles.requireNoCycle(config);
      plan = plan(config);
    } catch (ConfigException e) {
      throw configJson == null
          ? e.in(
              ModelConfigReader.file(directory.path()).orElse(directory.path()).toString(),
              e.line())
          : e;
    }
    ModelLoader.warn(directory, config);
    int limit = config.ensemble().orElseThrow().maxInflightRequests();
    return ServedModel.ensemble(
        name,
        Long.toString(versions.get(versions.size() - 1)),
        config,
        directory.labels(config),
        Ensemble.of(plan, limit, config.extensions().weight(), catalog::statsOfStep, this::serving),
        new InstanceBoard(() -> missing(plan)));
  }

  /** Returns whether an ensemble that serves still fits the models that are served. */
  boolean stillFits(ServedModel served) {
    try {
      EnsemblePlan unused = plan(served.config());
      return true;
    } catch (ConfigException e) {
      return false;
    }
  }

  private EnsemblePlan plan(ModelConfig config) {
    return PlanBuilder.build(config, this::member, steps);
  }

  private Member member(String model, long version) {
    ServedModel served = catalog.find(model, text(version));
    return new Member(
        served.clientInputs(),
        served.reshaping().client().inputs(),
        served.clientOutputs(),
        served.signature().maxBatchSize());
  }

  private @Nullable ServedModel serving(PlannedStep step) {
    try {
      return catalog.find(step.model(), text(step.version()));
    } catch (InferenceException e) {
      return null;
    }
  }

  /** Returns why a step cannot run; empty if all can. */
  private String missing(EnsemblePlan plan) {
    for (PlannedStep step : plan.steps()) {
      if (step.step().isEmpty()) {
        try {
          ServedModel unused = catalog.findReady(step.model(), text(step.version()));
        } catch (InferenceException e) {
          return step.label() + ": " + e.getMessage();
        }
      }
    }
    return "";
  }

  private static String text(long version) {
    return version == EnsembleConfig.LATEST ? "" : Long.toString(version);
  }
}
