package dev.conveyor.models.config;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.proto.ImagePreprocessing;
import dev.conveyor.models.proto.ModelDynamicBatching;
import dev.conveyor.models.proto.ModelExtensions;
import dev.conveyor.models.proto.ModelInput;
import dev.conveyor.models.proto.ModelInstanceGroup;
import dev.conveyor.models.proto.ModelOptimizationPolicy;
import dev.conveyor.models.proto.ModelOutput;
import dev.conveyor.models.proto.ModelParameter;
import dev.conveyor.models.proto.ModelQueuePolicy;
import dev.conveyor.models.proto.ModelTensorReshape;
import dev.conveyor.models.proto.ModelVersionPolicy;
import dev.conveyor.models.proto.ModelWarmup;
import dev.conveyor.models.proto.PriorityClass;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Shows a configuration to clients, as Triton does. What {@link ModelConfigReader} reads from it is
 * the same configuration. Stateless.
 */
public final class ModelConfigWriter {

  private static final String STEP_PLATFORM = "conveyor_step";

  private ModelConfigWriter() {}

  /** Returns the message of the {@code ModelConfig} call; extensions are a parameter in it. */
  public static dev.conveyor.models.proto.ModelConfig toProto(ModelConfig config) {
    var proto = withoutExtensions(config);
    if (!config.extensions().equals(Extensions.DEFAULT)) {
      String block = JsonPrinter.print(extensions(config.extensions())).toString();
      proto.putParameters(ModelConfig.EXTENSIONS_KEY, parameter(block));
    }
    return proto.build();
  }

  /** Returns JSON in Triton's field names; extensions are the block {@code conveyor}. */
  public static String toJson(ModelConfig config) {
    ObjectNode json = JsonPrinter.print(withoutExtensions(config).build());
    if (!config.extensions().equals(Extensions.DEFAULT)) {
      json.set(ModelConfig.EXTENSIONS_KEY, JsonPrinter.print(extensions(config.extensions())));
    }
    return json.toString();
  }

  private static dev.conveyor.models.proto.ModelConfig.Builder withoutExtensions(
      ModelConfig config) {
    var proto =
        dev.conveyor.models.proto.ModelConfig.newBuilder()
            .setName(config.name())
            .setBackend(config.backend())
            .setPlatform(platform(config))
            .setVersionPolicy(versionPolicy(config.versionPolicy()));
    if (!config.backend().equals(ModelConfig.STEP)) {
      proto.setDefaultModelFilename(config.modelFilename());
    }
    if (config.maxBatchSize() != ModelConfig.UNSET) {
      proto.setMaxBatchSize(config.maxBatchSize());
    }
    config.inputs().forEach(input -> proto.addInput(input(input)));
    config.outputs().forEach(output -> proto.addOutput(output(output)));
    config.instanceGroups().forEach(group -> proto.addInstanceGroup(instanceGroup(group)));
    config.dynamicBatching().ifPresent(b -> proto.setDynamicBatching(dynamicBatching(b)));
    config.warmups().forEach(warmup -> proto.addModelWarmup(warmup(warmup)));
    config.parameters().forEach((key, value) -> proto.putParameters(key, parameter(value)));
    for (GpuAccelerator accelerator : config.gpuAccelerators()) {
      proto
          .getOptimizationBuilder()
          .getExecutionAcceleratorsBuilder()
          .addGpuExecutionAcceleratorBuilder()
          .setName(accelerator.name())
          .putAllParameters(accelerator.parameters());
    }
    if (config.gpuPriority() != ModelPriority.DEFAULT) {
      proto.getOptimizationBuilder().setPriority(priority(config.gpuPriority()));
    }
    config.ensemble().ifPresent(e -> proto.setEnsembleScheduling(EnsembleMapper.toProto(e)));
    return proto;
  }

  private static ModelOptimizationPolicy.ModelPriority priority(ModelPriority priority) {
    return switch (priority) {
      case MAX -> ModelOptimizationPolicy.ModelPriority.PRIORITY_MAX;
      case MIN -> ModelOptimizationPolicy.ModelPriority.PRIORITY_MIN;
      case DEFAULT -> ModelOptimizationPolicy.ModelPriority.PRIORITY_DEFAULT;
    };
  }

  /** Returns Triton's name of what the model is, in its configuration as in its metadata. */
  public static String platform(ModelConfig config) {
    if (config.isEnsemble()) {
      return EnsembleRules.PLATFORM;
    }
    if (config.backend().equals(ModelConfig.TENSORRT)) {
      return UnsupportedSettings.PLAN_PLATFORM;
    }
    if (config.backend().equals(ModelConfig.STEP)) {
      return STEP_PLATFORM;
    }
    return config.backend().isEmpty() ? "" : "onnxruntime_onnx";
  }

  private static ModelInput input(TensorConfig input) {
    ModelInput.Builder proto =
        ModelInput.newBuilder()
            .setName(input.name())
            .setDataType(type(input.type()))
            .setFormat(ModelInput.Format.valueOf("FORMAT_" + input.format().name()));
    for (long dim : input.dims().toArray()) {
      proto.addDims(dim);
    }
    input.reshape().ifPresent(shape -> proto.setReshape(reshape(shape)));
    return proto.build();
  }

  private static ModelOutput output(TensorConfig output) {
    ModelOutput.Builder proto =
        ModelOutput.newBuilder()
            .setName(output.name())
            .setDataType(type(output.type()))
            .setLabelFilename(output.labelFilename());
    for (long dim : output.dims().toArray()) {
      proto.addDims(dim);
    }
    output.reshape().ifPresent(shape -> proto.setReshape(reshape(shape)));
    return proto.build();
  }

  private static ModelTensorReshape reshape(Shape shape) {
    ModelTensorReshape.Builder proto = ModelTensorReshape.newBuilder();
    for (long dim : shape.toArray()) {
      proto.addShape(dim);
    }
    return proto.build();
  }

  private static dev.conveyor.models.proto.DataType type(@Nullable DataType type) {
    return type == null
        ? dev.conveyor.models.proto.DataType.TYPE_INVALID
        : dev.conveyor.models.proto.DataType.valueOf(type.configName());
  }

  private static ModelInstanceGroup instanceGroup(InstanceGroup group) {
    ModelInstanceGroup.Builder proto =
        ModelInstanceGroup.newBuilder()
            .setName(group.name())
            .setKind(ModelInstanceGroup.Kind.valueOf(group.kind().name()))
            .setCount(group.count())
            .addAllGpus(group.gpus())
            .addAllGpuUuids(group.gpuUuids())
            .addAllProfile(group.profile().stream().map(String::valueOf).toList());
    if (group.isolation() != Isolation.NONE) {
      proto.setIsolation(group.isolation().word());
    }
    return proto.build();
  }

  private static ModelVersionPolicy versionPolicy(VersionPolicy policy) {
    ModelVersionPolicy.Builder proto = ModelVersionPolicy.newBuilder();
    if (policy instanceof VersionPolicy.Latest latest) {
      proto.getLatestBuilder().setNumVersions(latest.count());
    } else if (policy instanceof VersionPolicy.Specific specific) {
      proto.getSpecificBuilder().addAllVersions(specific.versions());
    } else {
      proto.setAll(ModelVersionPolicy.All.getDefaultInstance());
    }
    return proto.build();
  }

  private static ModelDynamicBatching dynamicBatching(DynamicBatching batching) {
    ModelDynamicBatching.Builder proto =
        ModelDynamicBatching.newBuilder()
            .addAllPreferredBatchSize(batching.preferredBatchSizes())
            .setMaxQueueDelayMicroseconds(micros(batching.maxQueueDelay()))
            .setPreserveOrdering(batching.preserveOrdering())
            .setPriorityLevels(batching.priorityLevels())
            .setDefaultPriorityLevel(batching.defaultPriorityLevel())
            .setDefaultQueuePolicy(queuePolicy(batching.defaultQueuePolicy()));
    batching
        .priorityQueuePolicies()
        .forEach((level, policy) -> proto.putPriorityQueuePolicy(level, queuePolicy(policy)));
    return proto.build();
  }

  private static ModelQueuePolicy queuePolicy(QueuePolicy policy) {
    return ModelQueuePolicy.newBuilder()
        .setTimeoutAction(ModelQueuePolicy.TimeoutAction.valueOf(policy.timeoutAction().name()))
        .setDefaultTimeoutMicroseconds(micros(policy.defaultTimeout()))
        .setAllowTimeoutOverride(policy.allowTimeoutOverride())
        .setMaxQueueSize(policy.maxQueueSize())
        .build();
  }

  private static long micros(Duration duration) {
    return TimeUnit.MICROSECONDS.convert(duration);
  }

  private static ModelWarmup warmup(Warmup warmup) {
    ModelWarmup.Builder proto =
        ModelWarmup.newBuilder()
            .setName(warmup.name())
            .setBatchSize(warmup.batchSize())
            .setCount(warmup.count());
    warmup.inputs().forEach((name, input) -> proto.putInputs(name, warmupInput(input)));
    return proto.build();
  }

  private static ModelWarmup.Input warmupInput(Warmup.Input input) {
    ModelWarmup.Input.Builder proto =
        ModelWarmup.Input.newBuilder().setDataType(type(input.type()));
    for (long dim : input.dims().toArray()) {
      proto.addDims(dim);
    }
    switch (input.data()) {
      case ZERO -> proto.setZeroData(true);
      case RANDOM -> proto.setRandomData(true);
      case FILE -> proto.setInputDataFile(input.dataFile());
    }
    return proto.build();
  }

  private static ModelParameter parameter(String value) {
    return ModelParameter.newBuilder().setStringValue(value).build();
  }

  private static void write(ServiceLevel level, ModelExtensions.Builder proto) {
    proto
        .setLatencyObjectiveMicroseconds(
            TimeUnit.NANOSECONDS.toMicros(level.latencyObjective().toNanos()))
        .setLatencyPercentile(level.latencyPercentile())
        .setPriorityClass(PriorityClass.valueOf(level.priorityClass().name()))
        .setPriorityAgeingMicroseconds(
            TimeUnit.NANOSECONDS.toMicros(level.priorityAgeing().toNanos()));
  }

  private static ModelExtensions extensions(Extensions extensions) {
    ModelExtensions.Builder proto =
        ModelExtensions.newBuilder()
            .setIntraOpThreads(extensions.intraOpThreads())
            .setIdleIntraOpThreads(extensions.idleIntraOpThreads())
            .setWeight(extensions.weight())
            .setResidency(extensions.memory().residency().key())
            .setMemoryLimitBytes(extensions.memory().limitBytes())
            .setRejectNonFinite(extensions.rejectNonFinite());
    if (!extensions.admission().equals(Admission.DEFAULT)) {
      proto.setAdmission(AdmissionMapper.toProto(extensions.admission()));
    }
    if (!extensions.process().equals(ProcessIsolation.DEFAULT)) {
      proto.setProcess(IsolationMapper.toProto(extensions.process()));
    }
    if (extensions.hedging().isOn()) {
      proto.setHedging(HedgingMapper.toProto(extensions.hedging()));
    }
    if (!extensions.rollout().isNone()) {
      proto.setRollout(RolloutMapper.toProto(extensions.rollout()));
    }
    if (extensions.verify() != Isolation.NONE) {
      proto.setVerify(extensions.verify().word());
    }
    if (!extensions.instances().isFixed()) {
      proto.setMinCount(extensions.instances().min()).setMaxCount(extensions.instances().max());
    }
    write(extensions.serviceLevel(), proto);
    extensions.stepFlows().forEach(flow -> proto.addEnsembleStep(EnsembleMapper.toProto(flow)));
    for (Preprocessing block : extensions.preprocessing()) {
      ImagePreprocessing.Builder images =
          ImagePreprocessing.newBuilder()
              .setInput(block.input())
              .setMode(ImagePreprocessing.Mode.valueOf(block.mode().name()))
              .setHeight(block.height())
              .setWidth(block.width())
              .setColor(ImagePreprocessing.Color.valueOf(block.color().name()))
              .setLayout(ImagePreprocessing.Layout.valueOf(block.layout().name()))
              .setDataType(type(block.dataType()))
              .addAllMean(block.mean())
              .addAllScale(block.scale())
              .setPadValue(block.padValue())
              .setDevice(ImagePreprocessing.Device.valueOf(block.device().name()));
      block
          .sizes()
          .forEach(s -> images.addSizesBuilder().setWidth(s.width()).setHeight(s.height()));
      block
          .boxes()
          .forEach(
              b ->
                  images
                      .addBoxesBuilder()
                      .setOutput(b.output())
                      .setUnits(ImagePreprocessing.Units.valueOf(b.units().name())));
      proto.addPreprocessing(images);
    }
    return proto.build();
  }
}
