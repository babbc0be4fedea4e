package dev.conveyor.models.config;

import dev.conveyor.models.proto.ModelExtensions;
import dev.conveyor.models.proto.ModelParameter;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Reads the configuration of a model: {@code config.json}, {@code config.pbtxt} or none. Both
 * formats have Triton's keys; our own are the block {@code conveyor} in JSON, and in text format
 * the parameter {@code conveyor} with that block, as JSON, for its string.
 *
 * <p>Stateless. Reads files: not for event loops. Every mistake is a {@link ConfigException} that
 * names file, line and key.
 */
public final class ModelConfigReader {

  public static final String JSON_FILENAME = "config.json";
  public static final String PBTXT_FILENAME = "config.pbtxt";

  private ModelConfigReader() {}

  /**
   * Reads the configuration in a model's directory, which gives the model its name. Without a file
   * everything is left to the model.
   */
  public static ModelConfig read(Path modelDirectory) {
    String name = nameOf(modelDirectory);
    Optional<Path> file = file(modelDirectory);
    if (file.isEmpty()) {
      return ModelConfig.empty(name);
    }
    String text = text(file.get());
    return file.get().endsWith(JSON_FILENAME)
        ? readJson(name, text, file.get().toString())
        : readPbtxt(name, text, file.get().toString());
  }

  /** Reads a configuration that comes with a request to load the model. */
  public static ModelConfig read(String name, String json) {
    return readJson(name, json, "configuration in the load request of \"" + name + "\"");
  }

  /**
   * Returns the file with the model's configuration, or empty if it has none.
   *
   * @throws ConfigException if there are two
   */
  public static Optional<Path> file(Path modelDirectory) {
    Path json = modelDirectory.resolve(JSON_FILENAME);
    Path pbtxt = modelDirectory.resolve(PBTXT_FILENAME);
    boolean hasJson = Files.exists(json);
    boolean hasPbtxt = Files.exists(pbtxt);
    if (hasJson && hasPbtxt) {
      throw new ConfigException(
              "", "both " + JSON_FILENAME + " and " + PBTXT_FILENAME + " are there; keep one")
          .in(modelDirectory.toString(), 0);
    }
    return hasJson ? Optional.of(json) : hasPbtxt ? Optional.of(pbtxt) : Optional.empty();
  }

  static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (CharacterCodingException e) {
      throw new ConfigException("", "not UTF-8 text").in(file.toString(), 0);
    } catch (IOException e) {
      throw new ConfigException("", "cannot be read: " + e).in(file.toString(), 0);
    }
  }

  private static ModelConfig readJson(String name, String json, String file) {
    Map<String, Integer> lines = new HashMap<>();
    return Keys.in(
        file,
        lines,
        () -> {
          var config = dev.conveyor.models.proto.ModelConfig.newBuilder();
          ModelExtensions.Builder extensions = ModelExtensions.newBuilder();
          StrictJsonReader.read(
              json, config, Map.of(ModelConfig.EXTENSIONS_KEY, extensions), lines);
          return ModelConfigMapper.map(name, config.build(), extensions.build());
        });
  }

  private static ModelConfig readPbtxt(String name, String text, String file) {
    Map<String, Integer> lines = new HashMap<>();
    return Keys.in(
        file,
        lines,
        () -> {
          var config = dev.conveyor.models.proto.ModelConfig.newBuilder();
          PbtxtReader.read(text, config, lines);
          ModelExtensions extensions = takeExtensions(config);
          try {
            return ModelConfigMapper.map(name, config.build(), extensions);
          } catch (ConfigException e) {
            boolean ours = e.key().startsWith(ModelConfig.EXTENSIONS_KEY);
            throw ours ? e.under("parameters") : e;
          }
        });
  }

  private static ModelExtensions takeExtensions(
      dev.conveyor.models.proto.ModelConfig.Builder config) {
    ModelParameter parameter = config.getParametersMap().get(ModelConfig.EXTENSIONS_KEY);
    ModelExtensions.Builder extensions = ModelExtensions.newBuilder();
    if (parameter != null) {
      config.removeParameters(ModelConfig.EXTENSIONS_KEY);
      String key = "parameters." + ModelConfig.EXTENSIONS_KEY;
      try {
        StrictJsonReader.read(parameter.getStringValue(), extensions, Map.of(), new HashMap<>());
      } catch (ConfigException e) {
        // Its line counts inside the string, not in the file.
        throw e.in("", 0).under(key);
      }
    }
    return extensions.build();
  }

  private static String nameOf(Path modelDirectory) {
    Path name = modelDirectory.toAbsolutePath().normalize().getFileName();
    return name == null ? "" : name.toString();
  }
}
