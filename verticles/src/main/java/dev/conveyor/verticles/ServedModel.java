package dev.conveyor.verticles;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.Reshaping;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigCompleter;
import dev.conveyor.models.config.ModelConfigWriter;
import dev.conveyor.models.config.ModelMemory;
import dev.conveyor.scheduler.ModelPlan;
import dev.conveyor.verticles.ensemble.Ensemble;
import dev.conveyor.verticles.metrics.HandOver;
import dev.conveyor.verticles.metrics.ModelStats;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One version of a model that takes requests. Immutable but for its statistics, its entrance, its
 * instances and its usage.
 *
 * <p>It may be cold: known, but not in memory, to be loaded by the first request. Then it has no
 * name inside the scheduler, no instance, and nobody enters it.
 *
 * @param deployedVersion the version's name inside the scheduler: {@code 1@7} is version 1, loaded
 *     as the seventh deployment, so that an old and a new load of one version can run side by side;
 *     empty while it is cold
 * @param config completed from the model
 * @param signature what the model itself takes and gives
 * @param reshaping between what clients see who send tensors, and the signature
 * @param clientInputs what clients send: as they see tensors, but encoded images where an input is
 *     preprocessed
 * @param labels output name to labels, for outputs that have a label file
 * @param images how encoded images become tensors
 * @param entrance who goes from the catalog to the scheduler passes it
 * @param instances what its instances are doing
 * @param door how busy it is
 * @param usage who uses it, if it may be evicted; goes on from load to load
 * @param ensemble the models it is made of; null if it has a file of its own
 */
public record ServedModel(
    String name,
    String version,
    String deployedVersion,
    String platform,
    ModelConfig config,
    ModelSignature signature,
    Reshaping reshaping,
    List<TensorSpec> clientInputs,
    Map<String, List<String>> labels,
    InputCheck inputCheck,
    ImageInputs images,
    ModelStats stats,
    Entrance entrance,
    InstanceBoard instances,
    ModelDoor door,
    ModelUsage usage,
    @Nullable Ensemble ensemble) {

  private static final String COLD = "";
  private static final String STEP_VERSION = "1";

  /** Creates a version that lets requests in. */
  public ServedModel(
      String name,
      String version,
      String deployedVersion,
      String platform,
      ModelConfig config,
      ModelSignature signature,
      List<TensorSpec> clientInputs,
      Map<String, List<String>> labels,
      InputCheck inputCheck,
      ImageInputs images,
      ModelStats stats) {
    this(
        name,
        version,
        deployedVersion,
        platform,
        config,
        signature,
        new Reshaping(ModelConfigCompleter.tensorSignature(config, signature), signature),
        clientInputs,
        labels,
        inputCheck,
        images,
        stats,
        new Entrance(),
        new InstanceBoard(),
        new ModelDoor(),
        new ModelUsage(),
        null);
  }

  /**
   * Creates an ensemble.
   *
   * @param members says whether its models can run
   */
  public static ServedModel ensemble(
      String name,
      String version,
      ModelConfig config,
      Map<String, List<String>> labels,
      Ensemble ensemble,
      InstanceBoard members) {
    ModelSignature signature = ensemble.plan().signature();
    return new ServedModel(
        name,
        version,
        version + "@ensemble",
        "ensemble",
        config,
        signature,
        new Reshaping(signature, signature),
        signature.inputs(),
        labels,
        new InputCheck(name, signature.inputs(), signature.inputs(), signature.maxBatchSize()),
        ImageInputs.NONE,
        new RecordingModelStats(),
        new Entrance(),
        members,
        new ModelDoor(),
        new ModelUsage(),
        ensemble);
  }

  /** Creates what is told about a step that needs no model; it takes no requests of its own. */
  public static ServedModel step(ModelConfig config, ModelSignature signature, ModelStats stats) {
    return new ServedModel(
        config.name(),
        STEP_VERSION,
        COLD,
        ModelConfigWriter.platform(config),
        config,
        signature,
        signature.inputs(),
        Map.of(),
        new InputCheck(
            config.name(), signature.inputs(), signature.inputs(), signature.maxBatchSize()),
        ImageInputs.NONE,
        stats);
  }

  /** Returns what clients get. */
  public List<TensorSpec> clientOutputs() {
    return reshaping.client().outputs();
  }

  /** Returns the model's name inside the scheduler. */
  public String key() {
    return ModelPlan.key(name, deployedVersion);
  }

  /** Returns false if it has to be loaded before it can run. */
  public boolean isLoaded() {
    return !deployedVersion.equals(COLD);
  }

  /** Returns true if it takes requests: it has an instance, or gets one with the first request. */
  public boolean isReady() {
    return !isLoaded() || instances.isReady();
  }

  /** Returns the time that requests are promised, from arrival to answer; 0 if none is. */
  public long objectiveNs() {
    return config.extensions().serviceLevel().latencyObjective().toNanos();
  }

  /** Counts a request that was answered with outputs, as {@link ModelStats#onSuccess} does. */
  public void countAnswer(int items, long preprocessNs, long queueNs, long totalNs) {
    stats.onSuccess(items, preprocessNs, queueNs, totalNs);
    long promisedNs = objectiveNs();
    if (promisedNs > 0) {
      stats.onObjective(totalNs <= promisedNs);
    }
  }

  /**
   * Counts a request that a front end turned away; the gateway counts what comes as far as to it.
   * What would do no better later is no refusal, and is not counted.
   */
  public void countRefusal(@Nullable Throwable why) {
    RefusalReason reason = why instanceof InferenceException e ? e.reason() : null;
    if (reason != null) {
      stats.onRefused(reason);
      stats.onFailure(ModelStats.Reason.REJECTED, 0);
    }
  }

  /** Returns true if it may be taken out of memory while it takes requests. */
  public boolean isEvictable() {
    return config.extensions().memory().residency() != ModelMemory.Residency.PINNED;
  }

  /** Returns the same version as it is between two loads. */
  public ServedModel cold() {
    // The queue that the door knows of goes with the load.
    return with(COLD, stats, usage, new ModelDoor());
  }

  /** Returns true if requests that another load of this version has checked can run here. */
  public boolean canServe(ServedModel other) {
    return version.equals(other.version)
        && signature.equals(other.signature)
        && config.inputs().equals(other.config.inputs())
        && config.extensions().preprocessing().equals(other.config.extensions().preprocessing());
  }

  /** Returns what is counted between the steps of an ensemble; null if it is none. */
  public @Nullable HandOver handOver() {
    return ensemble == null ? null : ensemble.handOver();
  }

  /** Returns the same load, counted on from what was counted before it. */
  public ServedModel continuing(ServedModel before) {
    return with(deployedVersion, before.stats, before.usage, door);
  }

  private ServedModel with(
      String deployed, ModelStats counters, ModelUsage users, ModelDoor itsDoor) {
    return new ServedModel(
        name,
        version,
        deployed,
        platform,
        config,
        signature,
        reshaping,
        clientInputs,
        labels,
        inputCheck,
        images,
        counters,
        new Entrance(),
        new InstanceBoard(),
        itsDoor,
        users,
        ensemble);
  }
}
