package dev.conveyor.models.config;

import static dev.conveyor.models.config.Keys.under;

import dev.conveyor.models.DataType;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.Reshape;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Fills in what a configuration leaves to the model and refuses what contradicts it.
 *
 * <p>Batching. A configured {@code max_batch_size} above 0 needs a dynamic first dimension on every
 * input and output, because that dimension is the batch. If it is not configured, a model with such
 * dimensions batches up to {@link #DEFAULT_MAX_BATCH_SIZE}, unless configured {@code dims} count
 * that dimension among theirs; and as the choice is the server's, requests are then grouped, with
 * {@link DynamicBatching#DEFAULT} unless the file has its own. Any other model runs one request at
 * a time.
 *
 * <p>Tensors. They keep the model's order. Names and types must be the model's; a dimension that is
 * fixed on one side only is fixed, and preprocessing fixes the size of its input.
 *
 * <p>Stateless and pure.
 */
public final class ModelConfigCompleter {

  /** Largest batch of a model whose configuration does not say. */
  public static final int DEFAULT_MAX_BATCH_SIZE = 32;

  /** The backend of a model that does not say. */
  private static final String BACKEND = "onnxruntime";

  /**
   * A configuration with nothing left open, and what the model takes and gives under it.
   *
   * @param signature of the model itself; what clients see is {@link #clientSignature}
   */
  public record Completed(ModelConfig config, ModelSignature signature) {}

  private ModelConfigCompleter() {}

  /**
   * Completes a configuration.
   *
   * @param inputs as the model declares them: full shapes, dynamic dimensions -1
   * @param outputs likewise
   * @throws ConfigException without a file: whoever read the configuration knows it
   */
  public static Completed complete(
      ModelConfig config, List<TensorSpec> inputs, List<TensorSpec> outputs) {
    requireKnown("input", config.inputs(), inputs);
    requireKnown("output", config.outputs(), outputs);
    int maxBatchSize = maxBatchSize(config, inputs, outputs);
    boolean batches = maxBatchSize > 0;
    List<TensorSpec> servedInputs =
        PreprocessingRules.fixSizes(
            config.extensions().preprocessing(),
            merge("input", config.inputs(), inputs, batches),
            batches);
    List<TensorSpec> servedOutputs = merge("output", config.outputs(), outputs, batches);
    PreprocessingRules.requireBoxes(config.extensions().preprocessing(), servedOutputs);
    ModelSignature signature = new ModelSignature(servedInputs, servedOutputs, maxBatchSize);
    PreprocessingRules.refuseReshape(config);
    ModelConfig completed =
        new ModelConfig(
            config.name(),
            config.backend().equals(ModelConfig.TENSORRT) ? ModelConfig.TENSORRT : BACKEND,
            maxBatchSize,
            completed(config.inputs(), servedInputs, batches),
            completed(config.outputs(), servedOutputs, batches),
            config.instanceGroups().isEmpty()
                ? List.of(InstanceGroup.DEFAULT)
                : config.instanceGroups(),
            dynamicBatching(config, batches),
            config.versionPolicy(),
            config.warmups(),
            config.parameters(),
            config.modelFilename(),
            config.extensions(),
            config.ensemble(),
            config.gpuAccelerators(),
            config.gpuPriority(),
            config.warnings());
    WarmupRules.require(completed, tensorSignature(completed, signature));
    return new Completed(completed, signature);
  }

  /**
   * Returns what clients see who send tensors: the model's shapes, but {@code dims} where those
   * have a {@code reshape}.
   *
   * @param config completed
   */
  public static ModelSignature tensorSignature(ModelConfig config, ModelSignature signature) {
    return new ModelSignature(
        seen(config.inputs(), signature.inputs(), signature.batches()),
        seen(config.outputs(), signature.outputs(), signature.batches()),
        signature.maxBatchSize());
  }

  private static List<TensorSpec> seen(
      List<TensorConfig> completed, List<TensorSpec> specs, boolean batches) {
    List<TensorSpec> seen = new ArrayList<>(specs.size());
    for (TensorSpec spec : specs) {
      int index = indexOf(completed, spec.name());
      if (index < 0 || completed.get(index).reshape().isEmpty()) {
        seen.add(spec);
        continue;
      }
      Shape dims = completed.get(index).dims();
      seen.add(
          new TensorSpec(spec.name(), spec.type(), batches ? dims.withBatch(Shape.DYNAMIC) : dims));
    }
    return seen;
  }

  /**
   * Returns what clients see: shapes as in {@link #tensorSignature}, and inputs with preprocessing
   * take encoded images, which are {@code BYTES} of shape {@code [-1,1]} for a model that batches
   * and {@code [1]} for one that does not. A front end may take {@code [n]} for {@code [n,1]}.
   */
  public static ModelSignature clientSignature(ModelConfig config, ModelSignature signature) {
    ModelSignature tensors = tensorSignature(config, signature);
    List<TensorSpec> inputs = new ArrayList<>();
    for (TensorSpec input : tensors.inputs()) {
      boolean takesImages =
          config.extensions().preprocessing().stream()
              .anyMatch(block -> block.input().equals(input.name()));
      Shape images = signature.batches() ? Shape.of(Shape.DYNAMIC, 1) : Shape.of(1);
      inputs.add(takesImages ? new TensorSpec(input.name(), DataType.BYTES, images) : input);
    }
    return new ModelSignature(inputs, tensors.outputs(), signature.maxBatchSize());
  }

  private static Optional<DynamicBatching> dynamicBatching(ModelConfig config, boolean batches) {
    boolean leftToServer = config.maxBatchSize() == ModelConfig.UNSET;
    return leftToServer && batches && config.dynamicBatching().isEmpty()
        ? Optional.of(DynamicBatching.DEFAULT)
        : config.dynamicBatching();
  }

  private static void requireKnown(
      String key, List<TensorConfig> configured, List<TensorSpec> declared) {
    List<String> names = declared.stream().map(TensorSpec::name).toList();
    for (int i = 0; i < configured.size(); i++) {
      String name = configured.get(i).name();
      if (!names.contains(name)) {
        throw new ConfigException(
            key + "[" + i + "].name",
            "an " + key + " of the model, which has " + names,
            "\"" + name + "\"");
      }
    }
  }

  private static int maxBatchSize(
      ModelConfig config, List<TensorSpec> inputs, List<TensorSpec> outputs) {
    Optional<String> fixed = firstFixed("input", inputs).or(() -> firstFixed("output", outputs));
    if (config.maxBatchSize() > 0 && fixed.isPresent()) {
      throw new ConfigException(
          "max_batch_size", "0, because " + fixed.get(), config.maxBatchSize());
    }
    if (config.maxBatchSize() != ModelConfig.UNSET) {
      return config.maxBatchSize();
    }
    boolean batches =
        fixed.isEmpty()
            && !hasFullRank(config.inputs(), inputs)
            && !hasFullRank(config.outputs(), outputs);
    return batches ? DEFAULT_MAX_BATCH_SIZE : 0;
  }

  private static Optional<String> firstFixed(String key, List<TensorSpec> declared) {
    return declared.stream()
        .filter(spec -> spec.shape().rank() == 0 || spec.shape().dim(0) != Shape.DYNAMIC)
        .map(
            spec ->
                "the model's "
                    + key
                    + " \""
                    + spec.name()
                    + "\" has the shape "
                    + spec.shape()
                    + ", whose first dimension is not dynamic")
        .findFirst();
  }

  private static boolean hasFullRank(List<TensorConfig> configured, List<TensorSpec> declared) {
    return configured.stream()
        .anyMatch(
            tensor ->
                tensor.dims().rank() > 0
                    && tensor.modelDims().rank()
                        == declared(declared, tensor.name()).shape().rank());
  }

  private static TensorSpec declared(List<TensorSpec> declared, String name) {
    return declared.stream()
        .filter(spec -> spec.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("the model has no " + name));
  }

  private static List<TensorSpec> merge(
      String key, List<TensorConfig> configured, List<TensorSpec> declared, boolean batches) {
    List<TensorSpec> merged = new ArrayList<>();
    for (TensorSpec spec : declared) {
      int index = indexOf(configured, spec.name());
      merged.add(
          index < 0
              ? spec
              : under(key + "[" + index + "]", () -> merge(configured.get(index), spec, batches)));
    }
    return merged;
  }

  private static int indexOf(List<TensorConfig> configured, String name) {
    for (int i = 0; i < configured.size(); i++) {
      if (configured.get(i).name().equals(name)) {
        return i;
      }
    }
    return -1;
  }

  private static TensorSpec merge(TensorConfig configured, TensorSpec spec, boolean batches) {
    if (configured.type() != null && configured.type() != spec.type()) {
      throw new ConfigException(
          "data_type",
          spec.type().configName() + ", the type of \"" + spec.name() + "\" in the model",
          configured.type().configName());
    }
    Shape dims = batches ? spec.shape().withoutFirst() : spec.shape();
    if (configured.dims().rank() == 0) {
      return spec;
    }
    if (!agree(configured.modelDims(), dims)) {
      throw new ConfigException(
          configured.reshape().isPresent() ? "reshape.shape" : "dims",
          dims
              + ", the shape of \""
              + spec.name()
              + "\" in the model"
              + (batches ? " without its batch dimension" : ""),
          configured.modelDims());
    }
    Shape fixed = fixed(configured.modelDims(), dims);
    return new TensorSpec(
        spec.name(), spec.type(), batches ? fixed.withBatch(Shape.DYNAMIC) : fixed);
  }

  private static boolean agree(Shape a, Shape b) {
    if (a.rank() != b.rank()) {
      return false;
    }
    for (int i = 0; i < a.rank(); i++) {
      boolean open = a.dim(i) == Shape.DYNAMIC || b.dim(i) == Shape.DYNAMIC;
      if (!open && a.dim(i) != b.dim(i)) {
        return false;
      }
    }
    return true;
  }

  private static Shape fixed(Shape a, Shape b) {
    long[] dims = a.toArray();
    for (int i = 0; i < dims.length; i++) {
      dims[i] = Math.max(dims[i], b.dim(i));
    }
    return Shape.of(dims);
  }

  private static List<TensorConfig> completed(
      List<TensorConfig> configured, List<TensorSpec> served, boolean batches) {
    return served.stream()
        .map(
            spec -> {
              Shape dims = batches ? spec.shape().withoutFirst() : spec.shape();
              int index = indexOf(configured, spec.name());
              return index < 0
                  ? new TensorConfig(spec.name(), spec.type(), dims, "")
                  : completed(configured.get(index), spec, dims);
            })
        .toList();
  }

  /** What the model fixes of its shape is fixed for clients too. */
  private static TensorConfig completed(TensorConfig configured, TensorSpec spec, Shape dims) {
    return new TensorConfig(
        spec.name(),
        spec.type(),
        configured
            .reshape()
            .map(shape -> new Reshape(configured.dims(), shape).toClient(dims))
            .orElse(dims),
        configured.reshape().map(shape -> dims),
        configured.format(),
        configured.labelFilename());
  }
}
