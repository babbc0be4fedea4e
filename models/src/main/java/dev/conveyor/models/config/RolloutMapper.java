package dev.conveyor.models.config;

import dev.conveyor.models.proto.ModelExtensions;

/** Reads and writes {@link Rollout}. Stateless. */
final class RolloutMapper {

  private RolloutMapper() {}

  static Rollout rollout(ModelExtensions.Rollout proto) {
    Rollout defaults = Rollout.NONE;
    return new Rollout(
        proto.getCandidate(),
        proto.getShadowShare(),
        proto.getCanaryShare(),
        proto.hasShadowLimit() ? proto.getShadowLimit() : defaults.shadowLimit(),
        proto.hasTolerance() ? proto.getTolerance() : defaults.tolerance(),
        proto.hasMinAgreement() ? proto.getMinAgreement() : defaults.minAgreement(),
        proto.hasMaxErrorRate() ? proto.getMaxErrorRate() : defaults.maxErrorRate(),
        proto.hasMaxP99Ratio() ? proto.getMaxP99Ratio() : defaults.maxP99Ratio(),
        proto.hasMinRequests() ? proto.getMinRequests() : defaults.minRequests());
  }

  static ModelExtensions.Rollout toProto(Rollout rollout) {
    return ModelExtensions.Rollout.newBuilder()
        .setCandidate(rollout.candidate())
        .setShadowShare(rollout.shadowShare())
        .setCanaryShare(rollout.canaryShare())
        .setShadowLimit(rollout.shadowLimit())
        .setTolerance(rollout.tolerance())
        .setMinAgreement(rollout.minAgreement())
        .setMaxErrorRate(rollout.maxErrorRate())
        .setMaxP99Ratio(rollout.maxP99Ratio())
        .setMinRequests(rollout.minRequests())
        .build();
  }
}
