package dev.conveyor.models.repository;

import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigCompleter;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.config.Rollout;
import dev.conveyor.models.config.TensorConfig;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The directory of one model. Immutable; its versions are those found when it was opened.
 *
 * @param versions ascending, at least one
 * @param root of the repository, which no file of the model may lie outside of
 */
public record ModelDirectory(String name, Path path, List<Long> versions, Path root) {

  private static final Pattern VERSION = Pattern.compile("[1-9][0-9]{0,17}");

  public ModelDirectory {
    versions = List.copyOf(versions);
  }

  static ModelDirectory open(String name, Path path, Path root) {
    requireInside(root, path);
    List<Long> versions = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(path)) {
      for (Path entry : entries) {
        String version = String.valueOf(entry.getFileName());
        if (VERSION.matcher(version).matches() && Files.isDirectory(entry)) {
          versions.add(Long.parseLong(version));
        }
      }
    } catch (IOException e) {
      throw new RepositoryException(path, "cannot be read: " + e);
    }
    if (versions.isEmpty() && ModelConfigReader.read(path).isEnsemble()) {
      // It has nothing to put there; Triton wants an empty directory, which is as good.
      versions.add(1L);
    }
    if (versions.isEmpty()) {
      throw new RepositoryException(
          path, "no version directory; a model needs at least one, named 1 or higher");
    }
    Collections.sort(versions);
    return new ModelDirectory(name, path, versions, root);
  }

  /** Reads the model's configuration file, if it has one. */
  public ModelConfig readConfig() {
    return ModelConfigReader.read(path);
  }

  /**
   * Completes a configuration of this model from the model itself; what contradicts it is refused
   * with the name of the configuration file.
   */
  public ModelConfigCompleter.Completed complete(
      ModelConfig config, List<TensorSpec> inputs, List<TensorSpec> outputs) {
    try {
      return ModelConfigCompleter.complete(config, inputs, outputs);
    } catch (ConfigException e) {
      throw e.in(ModelConfigReader.file(path).orElse(path).toString(), 0);
    }
  }

  /**
   * Returns the versions that the configuration wants served, ascending.
   *
   * @throws RepositoryException if there are none
   */
  public List<Long> served(ModelConfig config) {
    List<Long> served = config.versionPolicy().select(versions);
    if (served.isEmpty()) {
      throw new RepositoryException(
          path,
          "no version to serve: version_policy asks for "
              + config.versionPolicy()
              + ", found "
              + versions);
    }
    requireCandidate(config.extensions().rollout(), served);
    return served;
  }

  /** A candidate is tried against another version, so both must be served. */
  private void requireCandidate(Rollout rollout, List<Long> served) {
    if (!rollout.isNone() && (served.size() < 2 || !served.contains(rollout.candidate()))) {
      throw new RepositoryException(
          path,
          "conveyor.rollout.candidate: expected one of two served versions or more, found "
              + rollout.candidate()
              + " where version_policy serves "
              + served);
    }
  }

  /**
   * Returns the model file of a version.
   *
   * @throws RepositoryException if it is not there
   */
  public Path modelFile(long version, ModelConfig config) {
    return require(path.resolve(Long.toString(version)).resolve(config.modelFilename()));
  }

  /**
   * Returns a file with the data of a warm-up input.
   *
   * @throws RepositoryException if it is not there
   */
  public Path warmupFile(String filename) {
    return require(path.resolve("warmup").resolve(filename));
  }

  /** Reads the labels of every output that has a label file, by output name. */
  public Map<String, List<String>> labels(ModelConfig config) {
    Map<String, List<String>> labels = new LinkedHashMap<>();
    for (TensorConfig output : config.outputs()) {
      if (!output.labelFilename().isEmpty()) {
        labels.put(output.name(), labels(output.labelFilename()));
      }
    }
    return labels;
  }

  /**
   * Reads a label file: one label per line, the first for class 0.
   *
   * @throws RepositoryException if it cannot be read
   */
  public List<String> labels(String filename) {
    Path file = require(path.resolve(filename));
    try {
      return Files.readAllLines(file).stream().map(String::strip).toList();
    } catch (CharacterCodingException e) {
      throw new RepositoryException(file, "not UTF-8 text");
    } catch (IOException e) {
      throw new RepositoryException(file, "cannot be read: " + e);
    }
  }

  private Path require(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new RepositoryException(file, "no such file");
    }
    requireInside(root, file);
    return file;
  }

  private static void requireInside(Path root, Path file) {
    try {
      if (!file.toRealPath().startsWith(root.toRealPath())) {
        throw new RepositoryException(file, "leads out of the repository " + root);
      }
    } catch (IOException e) {
      throw new RepositoryException(file, "cannot be read: " + e);
    }
  }
}
