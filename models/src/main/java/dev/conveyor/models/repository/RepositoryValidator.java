package dev.conveyor.models.repository;

import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.config.Warmup;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Checks a whole repository without serving it: configurations, versions, model, label and warm-up
 * files, and with an inspector that configurations agree with their models. Stateless but for what
 * it was made with; as thread-safe as the inspector.
 */
public final class RepositoryValidator {

  /**
   * Something that keeps a model from being served.
   *
   * @param file or directory that has the problem
   * @param problem as {@code key: what is wrong}, with the line if known
   */
  public record Finding(String model, String file, String problem) {
    @Override
    public String toString() {
      return model + ": " + file + ": " + problem;
    }
  }

  private final ModelRepository repository;
  private final Optional<ModelInspector> inspector;

  /** Checks configurations and which files there are. */
  public RepositoryValidator(ModelRepository repository) {
    this.repository = repository;
    this.inspector = Optional.empty();
  }

  /** Also looks into the model files. */
  public RepositoryValidator(ModelRepository repository, ModelInspector inspector) {
    this.repository = repository;
    this.inspector = Optional.of(inspector);
  }

  /**
   * Returns what is wrong, by model; empty if every model can be served.
   *
   * @throws RepositoryException if the repository itself cannot be read
   */
  public List<Finding> validate() {
    List<Finding> findings = new ArrayList<>();
    for (String model : repository.list()) {
      findings.addAll(validate(model));
    }
    return findings;
  }

  /** Returns what is wrong with one model. */
  public List<Finding> validate(String model) {
    List<Finding> findings = new ArrayList<>();
    check(
        model,
        findings,
        () -> {
          ModelDirectory directory = repository.open(model);
          ModelConfig config = directory.readConfig();
          check(model, findings, () -> directory.labels(config));
          for (Warmup warmup : config.warmups()) {
            for (Warmup.Input input : warmup.inputs().values()) {
              if (input.data() == Warmup.Data.FILE) {
                check(model, findings, () -> directory.warmupFile(input.dataFile()));
              }
            }
          }
          if (config.isEnsemble()) {
            inspector.ifPresent(
                i -> check(model, findings, () -> new Ensembles(repository).check(config, i)));
            return;
          }
          for (long version : directory.served(config)) {
            check(model, findings, () -> inspect(model, findings, directory, config, version));
          }
        });
    return findings;
  }

  private void inspect(
      String model,
      List<Finding> findings,
      ModelDirectory directory,
      ModelConfig config,
      long version) {
    Path file = directory.modelFile(version, config);
    if (inspector.isEmpty()) {
      return;
    }
    Optional<Declared> declared;
    try {
      declared = inspector.get().inspect(file, config);
    } catch (ConfigException e) {
      throw e.in(
          ModelConfigReader.file(directory.path()).orElse(directory.path()).toString(), e.line());
    } catch (RuntimeException e) {
      findings.add(new Finding(model, file.toString(), "cannot be loaded: " + e.getMessage()));
      return;
    }
    declared.ifPresent(found -> directory.complete(config, found.inputs(), found.outputs()));
  }

  private static void check(String model, List<Finding> findings, Runnable body) {
    try {
      body.run();
    } catch (RepositoryException e) {
      findings.add(new Finding(model, e.path(), e.problem()));
    } catch (ConfigException e) {
      String line = e.line() > 0 ? "line " + e.line() + ": " : "";
      String key = e.key().isEmpty() ? "" : e.key() + ": ";
      findings.add(new Finding(model, e.file(), line + key + e.problem()));
    }
  }
}
