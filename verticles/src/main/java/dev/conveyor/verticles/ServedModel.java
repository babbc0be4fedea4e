package dev.conveyor.verticles;

import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.scheduler.ModelPlan;
import dev.conveyor.verticles.metrics.ModelStats;
import java.util.List;
import java.util.Map;

/**
 * One ready version of a model. Immutable but for its statistics, its entrance and its instances.
 *
 * @param deployedVersion the version's name inside the scheduler: {@code 1@7} is version 1, loaded
 *     as the seventh deployment, so that an old and a new load of one version can run side by side
 * @param config completed from the model
 * @param signature what the model itself takes and gives
 * @param clientInputs what clients send: as the signature, but encoded images where an input is
 *     preprocessed
 * @param labels output name to labels, for outputs that have a label file
 * @param images how encoded images become tensors
 * @param entrance who goes from the catalog to the scheduler passes it
 * @param instances what its instances are doing
 * @param door how busy it is, and what is left of its quota
 */
public record ServedModel(
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
    ModelStats stats,
    Entrance entrance,
    InstanceBoard instances,
    ModelDoor door) {

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
        clientInputs,
        labels,
        inputCheck,
        images,
        stats,
        new Entrance(),
        new InstanceBoard(),
        new ModelDoor(config.extensions().admission()));
  }

  /** Returns the model's name inside the scheduler. */
  public String key() {
    return ModelPlan.key(name, deployedVersion);
  }
}
