package dev.conveyor.models.tune;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.config.ModelConfigWriter;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.models.optimize.graph.OnnxFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A model's configuration file with a setting in it. What tuning does not touch stays as its author
 * wrote it.
 *
 * <p>Immutable.
 */
public final class TunedConfig {

  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private final ObjectNode base;
  private final boolean batches;

  private TunedConfig(ObjectNode base, boolean batches) {
    this.base = base;
    this.batches = batches;
  }

  /**
   * Takes a model's configuration, in either format, or none.
   *
   * @param batches whether the model has a batch dimension
   * @throws ConfigException if it cannot be used as it is
   */
  public static TunedConfig of(Path modelDirectory, boolean batches) {
    ModelConfig config = ModelConfigReader.read(modelDirectory);
    Optional<Path> file = ModelConfigReader.file(modelDirectory);
    try {
      String text =
          file.isEmpty()
              ? "{}"
              : file.get().endsWith(ModelConfigReader.JSON_FILENAME)
                  ? Files.readString(file.get())
                  : ModelConfigWriter.toJson(config);
      return new TunedConfig((ObjectNode) JSON.readTree(text), batches);
    } catch (IOException e) {
      throw new ConfigException("", "cannot be read: " + e).in(modelDirectory.toString(), 0);
    }
  }

  /** Returns the configuration's text with this setting, serving its version alone. */
  public String text(Setting setting) {
    return text(setting, true);
  }

  private String text(Setting setting, boolean pinned) {
    ObjectNode tuned = base.deepCopy();
    setBatching(tuned, setting);
    setInstances(tuned, setting);
    ObjectNode ours = object(tuned, ModelConfig.EXTENSIONS_KEY);
    ours.put("intra_op_threads", setting.threads());
    if (setting.idleThreads() > 0) {
      ours.put("idle_intra_op_threads", setting.idleThreads());
    } else {
      ours.remove("idle_intra_op_threads");
    }
    // They would move the number of instances away from what was found.
    ours.remove("min_count");
    ours.remove("max_count");
    if (pinned) {
      ObjectNode specific = JSON.createObjectNode();
      specific.putArray("versions").add(setting.version());
      tuned.set("version_policy", JSON.createObjectNode().set("specific", specific));
    }
    setProvider(tuned, setting.provider());
    try {
      return JSON.writeValueAsString(tuned) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Writes the configuration with this setting: whole or not at all. Which versions serve stays as
   * it was, unless the setting is of another one.
   *
   * @param servedVersion the version that serves by the configuration as it was
   * @throws ConfigException if the text is not a configuration; the file is then as it was
   */
  public void write(Path file, String modelName, Setting setting, long servedVersion) {
    String text = text(setting, setting.version() != servedVersion);
    ModelConfigReader.read(modelName, text);
    OnnxFile.write(file, text.getBytes(StandardCharsets.UTF_8));
  }

  private void setBatching(ObjectNode tuned, Setting setting) {
    if (!batches) {
      return;
    }
    tuned.put("max_batch_size", setting.maxBatchSize());
    ObjectNode batching = object(tuned, "dynamic_batching");
    batching.put("max_queue_delay_microseconds", setting.maxQueueDelayMicros());
    if (batching.get("preferred_batch_size") instanceof ArrayNode preferred) {
      ArrayNode within = JSON.createArrayNode();
      for (JsonNode size : preferred) {
        if (size.asInt() <= setting.maxBatchSize()) {
          within.add(size);
        }
      }
      batching.set("preferred_batch_size", within);
    }
    trimWarmup(tuned, setting.maxBatchSize());
  }

  /** A model does not load with a warm-up of more than its largest batch. */
  private static void trimWarmup(ObjectNode tuned, int maxBatchSize) {
    if (tuned.get("model_warmup") instanceof ArrayNode warmups) {
      ArrayNode within = JSON.createArrayNode();
      for (JsonNode warmup : warmups) {
        if (warmup.path("batch_size").asInt(0) <= Math.max(1, maxBatchSize)) {
          within.add(warmup);
        }
      }
      tuned.set("model_warmup", within);
    }
  }

  private static void setInstances(ObjectNode tuned, Setting setting) {
    ObjectNode group = JSON.createObjectNode();
    if (tuned.get("instance_group") instanceof ArrayNode groups
        && groups.get(0) instanceof ObjectNode first) {
      group = first.deepCopy();
    }
    if (!group.has("kind")) {
      group.put("kind", "KIND_CPU");
    }
    group.put("count", setting.instances());
    tuned.putArray("instance_group").add(group);
  }

  private static void setProvider(ObjectNode tuned, String provider) {
    if (!provider.equals(Setting.CPU)) {
      object(object(tuned, "parameters"), OnnxBackend.PROVIDER_PARAMETER)
          .put("string_value", provider);
    } else if (tuned.get("parameters") instanceof ObjectNode parameters) {
      parameters.remove(OnnxBackend.PROVIDER_PARAMETER);
      if (parameters.isEmpty()) {
        tuned.remove("parameters");
      }
    }
  }

  private static ObjectNode object(ObjectNode in, String key) {
    return in.get(key) instanceof ObjectNode there ? there : in.putObject(key);
  }
}
