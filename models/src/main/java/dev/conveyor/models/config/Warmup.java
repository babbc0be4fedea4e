package dev.conveyor.models.config;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import java.util.Map;

/**
 * A synthetic request run at load (Triton's {@code ModelWarmup}).
 *
 * @param batchSize items in the execution; 0 and 1 are the same for a model that does not batch
 * @param count executions
 * @param inputs what to feed, by input name
 */
public record Warmup(String name, int batchSize, int count, Map<String, Input> inputs) {

  /**
   * One input of a warm-up.
   *
   * @param dims shape without the batch dimension, all fixed
   * @param dataFile file under the model's {@code warmup} directory when {@code data} is FILE
   */
  public record Input(DataType type, Shape dims, Data data, String dataFile) {}

  /** Where the bytes come from. */
  public enum Data {
    ZERO,
    RANDOM,
    FILE
  }

  public Warmup {
    inputs = Map.copyOf(inputs);
    if (batchSize < 0) {
      throw new ConfigException("batch_size", "0 or more", batchSize);
    }
    if (count < 1) {
      throw new ConfigException("count", "1 or more", count);
    }
  }
}
