package dev.conveyor.models.config;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Everything configured about one model (Triton's {@code ModelConfig}). Complete once it has been
 * checked against the model: before that, inputs and outputs may be empty and {@code maxBatchSize}
 * may be {@link #UNSET}.
 *
 * @param backend {@code onnxruntime} or {@code tensorrt}; empty until completed
 * @param maxBatchSize 0: the model has no batch dimension
 * @param modelFilename file in a version's directory
 * @param ensemble the steps of a model that is made of other models
 * @param gpuAccelerators what executes it on GPUs
 * @param gpuPriority of its work on GPUs against that of other models
 * @param warnings what the file asks for and has no effect here, as {@code key: why}
 */
public record ModelConfig(
    String name,
    String backend,
    int maxBatchSize,
    List<TensorConfig> inputs,
    List<TensorConfig> outputs,
    List<InstanceGroup> instanceGroups,
    Optional<DynamicBatching> dynamicBatching,
    VersionPolicy versionPolicy,
    List<Warmup> warmups,
    Map<String, String> parameters,
    String modelFilename,
    Extensions extensions,
    Optional<EnsembleConfig> ensemble,
    List<GpuAccelerator> gpuAccelerators,
    ModelPriority gpuPriority,
    List<String> warnings) {

  /** {@code max_batch_size} of a configuration that leaves it to the model. */
  public static final int UNSET = -1;

  /** Largest {@code max_batch_size}: what is kept for each size, and planned for it, is bounded. */
  public static final int MOST_BATCH_SIZE = 65_536;

  /** Name of the model file unless {@code default_model_filename} says otherwise. */
  public static final String DEFAULT_MODEL_FILENAME = "model.onnx";

  /** The backend of engines that were made elsewhere, which only GPUs run. */
  public static final String TENSORRT = "tensorrt";

  /** The backend of steps of ensembles that need no model; not one that a file can name. */
  public static final String STEP = "conveyor";

  /** Name of such an engine unless {@code default_model_filename} says otherwise. */
  public static final String DEFAULT_PLAN_FILENAME = "model.plan";

  /** Key of our block, in JSON and among the parameters of a {@code config.pbtxt}. */
  public static final String EXTENSIONS_KEY = "conveyor";

  public ModelConfig {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
    instanceGroups = List.copyOf(instanceGroups);
    warmups = List.copyOf(warmups);
    parameters = Map.copyOf(parameters);
    gpuAccelerators = List.copyOf(gpuAccelerators);
    warnings = List.copyOf(warnings);
    if (maxBatchSize != UNSET) {
      requireBatchSize(maxBatchSize);
    }
    if (parameters.containsKey(EXTENSIONS_KEY)) {
      throw new ConfigException(
          "parameters." + EXTENSIONS_KEY, "reserved for the extensions, which are not parameters");
    }
    requirePlain("default_model_filename", modelFilename);
    requireOneIsolation(instanceGroups);
    if (backend.equals(TENSORRT)
        || gpuAccelerators.stream().anyMatch(each -> each.name().equals(TENSORRT))) {
      requireOneProfile(instanceGroups);
    }
    if (extensions.idleIntraOpThreads() > 0 && isolationOf(instanceGroups) == Isolation.PROCESS) {
      throw new ConfigException(
          "conveyor.idle_intra_op_threads",
          "none with isolation \"process\": each worker would hold the weights twice",
          extensions.idleIntraOpThreads());
    }
    if (maxBatchSize >= 0 && dynamicBatching.isPresent()) {
      requirePreferredWithin(dynamicBatching.get(), maxBatchSize);
    }
    if (extensions.hedging().isOn()
        && dynamicBatching.isPresent()
        && dynamicBatching.get().preserveOrdering()) {
      throw new ConfigException(
          "conveyor.hedging",
          "none beside dynamic_batching.preserve_ordering: a second execution may be first",
          "one");
    }
  }

  /** A configuration of a model that has a file of its own. */
  public ModelConfig(
      String name,
      String backend,
      int maxBatchSize,
      List<TensorConfig> inputs,
      List<TensorConfig> outputs,
      List<InstanceGroup> instanceGroups,
      Optional<DynamicBatching> dynamicBatching,
      VersionPolicy versionPolicy,
      List<Warmup> warmups,
      Map<String, String> parameters,
      String modelFilename,
      Extensions extensions) {
    this(
        name,
        backend,
        maxBatchSize,
        inputs,
        outputs,
        instanceGroups,
        dynamicBatching,
        versionPolicy,
        warmups,
        parameters,
        modelFilename,
        extensions,
        Optional.empty(),
        List.of(),
        ModelPriority.DEFAULT,
        List.of());
  }

  /** Returns a configuration that leaves everything to the model. */
  public static ModelConfig empty(String name) {
    return new ModelConfig(
        name,
        "",
        UNSET,
        List.of(),
        List.of(),
        List.of(),
        Optional.empty(),
        VersionPolicy.DEFAULT,
        List.of(),
        Map.of(),
        Extensions.DEFAULT);
  }

  /** A configuration with the default name of the model file. */
  public ModelConfig(
      String name,
      String backend,
      int maxBatchSize,
      List<TensorConfig> inputs,
      List<TensorConfig> outputs,
      List<InstanceGroup> instanceGroups,
      Optional<DynamicBatching> dynamicBatching,
      VersionPolicy versionPolicy,
      List<Warmup> warmups,
      Map<String, String> parameters,
      Extensions extensions) {
    this(
        name,
        backend,
        maxBatchSize,
        inputs,
        outputs,
        instanceGroups,
        dynamicBatching,
        versionPolicy,
        warmups,
        parameters,
        DEFAULT_MODEL_FILENAME,
        extensions);
  }

  public boolean batches() {
    return maxBatchSize > 0;
  }

  public boolean isEnsemble() {
    return ensemble.isPresent();
  }

  /** Returns where the instances run. */
  public Isolation isolation() {
    return isolationOf(instanceGroups);
  }

  private static Isolation isolationOf(List<InstanceGroup> groups) {
    return groups.isEmpty() ? Isolation.NONE : groups.get(0).isolation();
  }

  /** Returns which optimisation profiles of a TensorRT engine the instances use; empty for all. */
  public List<Integer> engineProfiles() {
    return profiles(instanceGroups);
  }

  private static List<Integer> profiles(List<InstanceGroup> groups) {
    return groups.stream()
        .filter(group -> group.kind() != InstanceGroup.Kind.KIND_CPU)
        .findFirst()
        .map(InstanceGroup::profile)
        .orElse(List.of());
  }

  /** Refuses what no file can ask for; {@link #UNSET} is not in a file either. */
  static void requireBatchSize(int maxBatchSize) {
    if (maxBatchSize < 0 || maxBatchSize > MOST_BATCH_SIZE) {
      throw new ConfigException("max_batch_size", "0 to " + MOST_BATCH_SIZE, maxBatchSize);
    }
  }

  /** Refuses what could lead out of the directory that the file is looked for in. */
  static void requirePlain(String key, String filename) {
    boolean plain =
        !filename.isEmpty()
            && !filename.equals(".")
            && !filename.equals("..")
            && filename.chars().noneMatch(c -> c == '/' || c == '\\' || c < ' ');
    if (!plain) {
      throw new ConfigException(key, "a plain file name", "\"" + filename + "\"");
    }
  }

  /** Instances of all groups share what was loaded once, so it is loaded in one way. */
  private static void requireOneIsolation(List<InstanceGroup> groups) {
    for (int i = 1; i < groups.size(); i++) {
      if (groups.get(i).isolation() != groups.get(0).isolation()) {
        throw new ConfigException(
            "instance_group[" + i + "].isolation",
            "\"" + groups.get(0).isolation().word() + "\", as in the first group",
            "\"" + groups.get(i).isolation().word() + "\"");
      }
    }
  }

  /** Any instance is given any batch, so all of them take the same. */
  private static void requireOneProfile(List<InstanceGroup> groups) {
    List<Integer> first = profiles(groups);
    for (int i = 0; i < groups.size(); i++) {
      InstanceGroup group = groups.get(i);
      if (group.kind() != InstanceGroup.Kind.KIND_CPU && !group.profile().equals(first)) {
        throw new ConfigException(
            "instance_group[" + i + "].profile",
            first + " as in the first group on GPUs, since any instance is given any batch",
            group.profile());
      }
    }
  }

  private static void requirePreferredWithin(DynamicBatching batching, int maxBatchSize) {
    for (int preferred : batching.preferredBatchSizes()) {
      if (preferred > Math.max(1, maxBatchSize)) {
        throw new ConfigException(
            "dynamic_batching.preferred_batch_size",
            "at most max_batch_size=" + maxBatchSize,
            preferred);
      }
    }
  }
}
