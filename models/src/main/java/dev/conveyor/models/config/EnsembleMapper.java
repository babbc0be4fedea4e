package dev.conveyor.models.config;

import static dev.conveyor.models.config.Keys.each;

import dev.conveyor.models.proto.EnsembleStep;
import dev.conveyor.models.proto.ModelEnsembling;

/** Ensembles between file and record. Stateless. */
final class EnsembleMapper {

  private EnsembleMapper() {}

  static EnsembleConfig map(ModelEnsembling ensembling) {
    return new EnsembleConfig(
        each("step", ensembling.getStepList(), EnsembleMapper::step),
        ensembling.getMaxInflightRequests());
  }

  static ModelEnsembling toProto(EnsembleConfig ensemble) {
    ModelEnsembling.Builder proto =
        ModelEnsembling.newBuilder().setMaxInflightRequests(ensemble.maxInflightRequests());
    for (EnsembleConfig.Step step : ensemble.steps()) {
      proto.addStep(
          ModelEnsembling.Step.newBuilder()
              .setModelName(step.model())
              .setModelVersion(step.version())
              .putAllInputMap(step.inputMap())
              .putAllOutputMap(step.outputMap()));
    }
    return proto.build();
  }

  static StepFlow flow(EnsembleStep step) {
    return new StepFlow(
        step.getStep(),
        step.getForEachList(),
        step.hasMaxItems() ? step.getMaxItems() : StepFlow.DEFAULT_MAX_ITEMS,
        StepFlow.Excess.valueOf(step.getOnExcess().name()),
        step.getJoin(),
        step.getWhen(),
        step.getUnless());
  }

  static EnsembleStep toProto(StepFlow flow) {
    EnsembleStep.Builder proto =
        EnsembleStep.newBuilder()
            .setStep(flow.step())
            .addAllForEach(flow.forEach())
            .setJoin(flow.join())
            .setWhen(flow.when())
            .setUnless(flow.unless());
    if (flow.fansOut()) {
      proto
          .setMaxItems(flow.maxItems())
          .setOnExcess(EnsembleStep.Excess.valueOf(flow.onExcess().name()));
    }
    return proto.build();
  }

  private static EnsembleConfig.Step step(ModelEnsembling.Step step) {
    if (!step.getModelNamespace().isEmpty()) {
      throw new ConfigException("model_namespace", "not supported by this server");
    }
    // Both formats read a version that is not there as 0, which no version has.
    long version = step.getModelVersion() == 0 ? EnsembleConfig.LATEST : step.getModelVersion();
    return new EnsembleConfig.Step(
        step.getModelName(), version, step.getInputMapMap(), step.getOutputMapMap());
  }
}
