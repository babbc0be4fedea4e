package dev.conveyor.verticles;

import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.verticles.metrics.ModelStats;
import java.util.List;
import java.util.Map;

/**
 * One ready version of a model. Immutable but for its statistics.
 *
 * @param config completed from the model
 * @param labels output name to labels, for outputs that have a label file
 */
public record ServedModel(
    String name,
    String version,
    String platform,
    ModelConfig config,
    ModelSignature signature,
    Map<String, List<String>> labels,
    ModelStats stats) {}
