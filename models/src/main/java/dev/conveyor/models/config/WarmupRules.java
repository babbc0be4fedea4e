package dev.conveyor.models.config;

import static dev.conveyor.models.config.Keys.under;

import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import java.util.List;

/** Checks that warm-up requests are requests the model could get. Stateless. */
final class WarmupRules {

  private WarmupRules() {}

  static void require(ModelConfig config, ModelSignature signature) {
    for (int i = 0; i < config.warmups().size(); i++) {
      Warmup warmup = config.warmups().get(i);
      under("model_warmup[" + i + "]", () -> require(signature, warmup));
    }
  }

  private static Warmup require(ModelSignature signature, Warmup warmup) {
    int largest = Math.max(1, signature.maxBatchSize());
    if (warmup.batchSize() > largest) {
      throw new ConfigException("batch_size", "at most " + largest, warmup.batchSize());
    }
    List<String> names = signature.inputs().stream().map(TensorSpec::name).toList();
    for (String name : warmup.inputs().keySet()) {
      if (!names.contains(name)) {
        throw new ConfigException(
            "inputs." + name, "inputs of the model, which has " + names, "\"" + name + "\"");
      }
    }
    for (TensorSpec spec : signature.inputs()) {
      Warmup.Input input = warmup.inputs().get(spec.name());
      if (input != null) {
        under("inputs." + spec.name(), () -> require(spec, input, signature.batches()));
      } else {
        throw new ConfigException("inputs", "every input of the model", "no " + spec.name());
      }
    }
    return warmup;
  }

  private static Warmup.Input require(TensorSpec spec, Warmup.Input input, boolean batches) {
    if (input.type() != spec.type()) {
      throw new ConfigException(
          "data_type", spec.type().configName() + ", as in the model", input.type().configName());
    }
    Shape dims = batches ? spec.shape().withoutFirst() : spec.shape();
    if (!dims.accepts(input.dims())) {
      throw new ConfigException(
          "dims",
          dims
              + (batches
                  ? ", the shape of the input without its batch dimension"
                  : ", as the input"),
          input.dims());
    }
    return input;
  }
}
