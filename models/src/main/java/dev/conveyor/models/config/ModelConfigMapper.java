package dev.conveyor.models.config;

import static dev.conveyor.models.config.Keys.each;
import static dev.conveyor.models.config.Keys.under;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.proto.ImagePreprocessing;
import dev.conveyor.models.proto.ModelExtensions;
import dev.conveyor.models.proto.ModelInput;
import dev.conveyor.models.proto.ModelInstanceGroup;
import dev.conveyor.models.proto.ModelOptimizationPolicy;
import dev.conveyor.models.proto.ModelOutput;
import dev.conveyor.models.proto.ModelTensorReshape;
import dev.conveyor.models.proto.ModelVersionPolicy;
import dev.conveyor.models.proto.ModelWarmup;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Turns a parsed file into the record of a model, refusing what cannot be or is not supported. */
final class ModelConfigMapper {

  private ModelConfigMapper() {}

  /**
   * Maps one file.
   *
   * @param model name of the model's directory
   */
  static ModelConfig map(
      String model, dev.conveyor.models.proto.ModelConfig config, ModelExtensions extensions) {
    if (!config.getName().isEmpty() && !config.getName().equals(model)) {
      throw new ConfigException(
          "name", "\"" + model + "\", the name of the directory", "\"" + config.getName() + "\"");
    }
    UnsupportedSettings.refuse(config);
    int maxBatchSize = ModelConfig.UNSET;
    if (config.hasMaxBatchSize()) {
      maxBatchSize = config.getMaxBatchSize();
      ModelConfig.requireBatchSize(maxBatchSize);
    }
    int known = maxBatchSize;
    Map<String, String> parameters = new HashMap<>();
    config.getParametersMap().forEach((key, value) -> parameters.put(key, value.getStringValue()));
    ModelParameters.require(parameters);
    String filename = config.getDefaultModelFilename();
    boolean ensemble = config.hasEnsembleScheduling();
    if (ensemble && maxBatchSize == ModelConfig.UNSET) {
      maxBatchSize = 0;
    }
    String backend = backend(config, ensemble);
    ModelConfig mapped =
        new ModelConfig(
            model,
            backend,
            maxBatchSize,
            named("input", each("input", config.getInputList(), ModelConfigMapper::input)),
            named("output", each("output", config.getOutputList(), ModelConfigMapper::output)),
            each("instance_group", config.getInstanceGroupList(), ModelConfigMapper::instanceGroup),
            config.hasDynamicBatching()
                ? Optional.of(
                    under(
                        "dynamic_batching",
                        () -> BatchingMapper.map(config.getDynamicBatching(), known)))
                : Optional.empty(),
            under("version_policy", () -> versionPolicy(config.getVersionPolicy())),
            each("model_warmup", config.getModelWarmupList(), ModelConfigMapper::warmup),
            parameters,
            filename.isEmpty() ? defaultFilename(backend) : filename,
            under(ModelConfig.EXTENSIONS_KEY, () -> extensions(extensions, parameters)),
            ensemble
                ? Optional.of(
                    under(
                        "ensemble_scheduling",
                        () -> EnsembleMapper.map(config.getEnsembleScheduling())))
                : Optional.empty(),
            under("optimization", () -> AcceleratorMapper.gpu(config.getOptimization())),
            priority(config.getOptimization().getPriority()),
            NoEffect.of(config));
    EnsembleRules.require(mapped);
    return mapped;
  }

  private static ModelPriority priority(ModelOptimizationPolicy.ModelPriority priority) {
    return switch (priority) {
      case PRIORITY_MAX -> ModelPriority.MAX;
      case PRIORITY_MIN -> ModelPriority.MIN;
      case PRIORITY_DEFAULT, UNRECOGNIZED -> ModelPriority.DEFAULT;
    };
  }

  private static String backend(dev.conveyor.models.proto.ModelConfig config, boolean ensemble) {
    if (ensemble || config.getPlatform().isEmpty()) {
      return config.getBackend();
    }
    return config.getPlatform().equals(UnsupportedSettings.PLAN_PLATFORM)
        ? ModelConfig.TENSORRT
        : "onnxruntime";
  }

  private static String defaultFilename(String backend) {
    return backend.equals(ModelConfig.TENSORRT)
        ? ModelConfig.DEFAULT_PLAN_FILENAME
        : ModelConfig.DEFAULT_MODEL_FILENAME;
  }

  private static TensorConfig input(ModelInput input) {
    UnsupportedSettings.refuse(input);
    if (input.getFormat() != ModelInput.Format.FORMAT_NONE
        && input.getDimsCount() != 0
        && input.getDimsCount() != 3) {
      throw new ConfigException(
          "dims", "3 dimensions for " + input.getFormat(), input.getDimsList());
    }
    return new TensorConfig(
        input.getName(),
        type(input.getDataType()),
        dims(input.getDimsList()),
        input.hasReshape() ? Optional.of(reshape(input.getReshape())) : Optional.empty(),
        switch (input.getFormat()) {
          case FORMAT_NHWC -> TensorConfig.Format.NHWC;
          case FORMAT_NCHW -> TensorConfig.Format.NCHW;
          case FORMAT_NONE, UNRECOGNIZED -> TensorConfig.Format.NONE;
        },
        "");
  }

  private static TensorConfig output(ModelOutput output) {
    UnsupportedSettings.refuse(output);
    if (!output.getLabelFilename().isEmpty()) {
      ModelConfig.requirePlain("label_filename", output.getLabelFilename());
    }
    return new TensorConfig(
        output.getName(),
        type(output.getDataType()),
        dims(output.getDimsList()),
        output.hasReshape() ? Optional.of(reshape(output.getReshape())) : Optional.empty(),
        TensorConfig.Format.NONE,
        output.getLabelFilename());
  }

  private static Shape reshape(ModelTensorReshape reshape) {
    return under("reshape", () -> dims("shape", reshape.getShapeList()));
  }

  private static List<TensorConfig> named(String key, List<TensorConfig> tensors) {
    Set<String> names = new HashSet<>();
    for (int i = 0; i < tensors.size(); i++) {
      String name = tensors.get(i).name();
      if (!names.add(name)) {
        throw new ConfigException(key + "[" + i + "].name", "\"" + name + "\" is there twice");
      }
    }
    return tensors;
  }

  private static @Nullable DataType type(dev.conveyor.models.proto.DataType type) {
    return DataType.find(type.name()).orElse(null);
  }

  private static Shape dims(List<Long> dims) {
    return dims("dims", dims);
  }

  private static Shape dims(String key, List<Long> dims) {
    each(
        key,
        dims,
        dim -> {
          if (dim == 0 || dim < Shape.DYNAMIC) {
            throw new ConfigException("", "1 or more, or -1 for any size", dim);
          }
          return dim;
        });
    return Shape.of(dims);
  }

  private static InstanceGroup instanceGroup(ModelInstanceGroup group) {
    UnsupportedSettings.refuse(group);
    each(
        "gpus",
        group.getGpusList(),
        gpu -> {
          if (gpu < 0) {
            throw new ConfigException("", "the index of a device, 0 or more", gpu);
          }
          return gpu;
        });
    return new InstanceGroup(
        group.getName(),
        InstanceGroup.Kind.valueOf(group.getKind().name()),
        group.getCount() == 0 ? 1 : group.getCount(),
        group.getGpusList(),
        each("gpu_uuids", group.getGpuUuidsList(), ModelConfigMapper::gpuUuid),
        Isolation.of("isolation", group.getIsolation()),
        each("profile", group.getProfileList(), ModelConfigMapper::profile));
  }

  private static String gpuUuid(String uuid) {
    if (!uuid.matches("(GPU|MIG)-[0-9A-Za-z/-]+")) {
      throw new ConfigException(
          "", "a UUID as nvidia-smi -L shows it, \"GPU-...\" or \"MIG-...\"", "\"" + uuid + "\"");
    }
    return uuid;
  }

  /** TensorRT numbers profiles; Triton's configurations have the numbers as text. */
  private static int profile(String number) {
    if (!number.matches("[0-9]{1,4}")) {
      throw new ConfigException(
          "", "the number of an optimisation profile, from \"0\"", "\"" + number + "\"");
    }
    return Integer.parseInt(number);
  }

  private static VersionPolicy versionPolicy(ModelVersionPolicy policy) {
    return switch (policy.getPolicyChoiceCase()) {
      case POLICYCHOICE_NOT_SET -> VersionPolicy.DEFAULT;
      case ALL -> new VersionPolicy.All();
      case LATEST -> {
        int count = policy.getLatest().getNumVersions();
        yield under("latest", () -> new VersionPolicy.Latest(count == 0 ? 1 : count));
      }
      case SPECIFIC -> under("specific", () -> specific(policy.getSpecific().getVersionsList()));
    };
  }

  private static VersionPolicy specific(List<Long> versions) {
    each(
        "versions",
        versions,
        version -> {
          if (version < 1) {
            throw new ConfigException("", "1 or more", version);
          }
          return version;
        });
    return new VersionPolicy.Specific(versions);
  }

  private static Warmup warmup(ModelWarmup warmup) {
    Map<String, Warmup.Input> inputs = new HashMap<>();
    warmup
        .getInputsMap()
        .forEach(
            (name, input) -> inputs.put(name, under("inputs." + name, () -> warmupInput(input))));
    if (warmup.getCount() < 0) {
      throw new ConfigException("count", "at most " + Integer.MAX_VALUE, "more");
    }
    return new Warmup(
        warmup.getName(),
        warmup.getBatchSize(),
        warmup.getCount() == 0 ? 1 : warmup.getCount(),
        inputs);
  }

  private static Warmup.Input warmupInput(ModelWarmup.Input input) {
    DataType type = type(input.getDataType());
    if (type == null) {
      throw new ConfigException("data_type", "a type", "nothing");
    }
    Shape dims = dims(input.getDimsList());
    if (!dims.isStatic()) {
      throw new ConfigException("dims", "fixed dimensions", dims);
    }
    return switch (input.getInputDataTypeCase()) {
      case ZERO_DATA -> new Warmup.Input(type, dims, Warmup.Data.ZERO, "");
      case RANDOM_DATA -> new Warmup.Input(type, dims, Warmup.Data.RANDOM, "");
      case INPUT_DATA_FILE -> {
        ModelConfig.requirePlain("input_data_file", input.getInputDataFile());
        yield new Warmup.Input(type, dims, Warmup.Data.FILE, input.getInputDataFile());
      }
      case INPUTDATATYPE_NOT_SET ->
          throw new ConfigException("", "zero_data, random_data or input_data_file", "none");
    };
  }

  private static Extensions extensions(ModelExtensions extensions, Map<String, String> parameters) {
    return new Extensions(
        each("preprocessing", extensions.getPreprocessingList(), ModelConfigMapper::preprocessing),
        extensions.getIntraOpThreads() == 0
            ? ModelParameters.intraOpThreads(parameters)
            : extensions.getIntraOpThreads(),
        extensions.getIdleIntraOpThreads(),
        extensions.hasWeight() ? extensions.getWeight() : Extensions.DEFAULT.weight(),
        under("admission", () -> AdmissionMapper.admission(extensions.getAdmission())),
        under("process", () -> IsolationMapper.process(extensions.getProcess())),
        Isolation.of("verify", extensions.getVerify()),
        new ModelMemory(
            extensions.hasResidency()
                ? ModelMemory.Residency.ofKey(extensions.getResidency())
                : ModelMemory.DEFAULT.residency(),
            extensions.getMemoryLimitBytes()),
        serviceLevel(extensions),
        new InstanceRange(extensions.getMinCount(), extensions.getMaxCount()),
        extensions.getRejectNonFinite(),
        each("ensemble_step", extensions.getEnsembleStepList(), EnsembleMapper::flow),
        under("hedging", () -> HedgingMapper.hedging(extensions)),
        under("rollout", () -> RolloutMapper.rollout(extensions.getRollout())));
  }

  private static ServiceLevel serviceLevel(ModelExtensions extensions) {
    return new ServiceLevel(
        Duration.of(extensions.getLatencyObjectiveMicroseconds(), ChronoUnit.MICROS),
        extensions.hasLatencyPercentile()
            ? extensions.getLatencyPercentile()
            : ServiceLevel.DEFAULT.latencyPercentile(),
        ServiceLevel.PriorityClass.valueOf(extensions.getPriorityClass().name()),
        Duration.of(extensions.getPriorityAgeingMicroseconds(), ChronoUnit.MICROS));
  }

  private static Preprocessing preprocessing(ImagePreprocessing block) {
    DataType type = type(block.getDataType());
    return new Preprocessing(
        block.getInput(),
        Preprocessing.Mode.valueOf(block.getMode().name()),
        block.getHeight(),
        block.getWidth(),
        Preprocessing.Color.valueOf(block.getColor().name()),
        Preprocessing.Layout.valueOf(block.getLayout().name()),
        type == null ? DataType.FP32 : type,
        block.getMeanList(),
        block.getScaleList(),
        block.getPadValue(),
        block.getSizesList().stream()
            .map(size -> new Preprocessing.Size(size.getWidth(), size.getHeight()))
            .toList(),
        block.getBoxesList().stream()
            .map(
                boxes ->
                    new Preprocessing.Boxes(
                        boxes.getOutput(),
                        Preprocessing.Boxes.Units.valueOf(boxes.getUnits().name())))
            .toList(),
        Preprocessing.Device.valueOf(block.getDevice().name()));
  }
}
