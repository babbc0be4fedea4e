package dev.conveyor.models.config;

import dev.conveyor.models.proto.ModelExtensions;

/** Reads and writes {@link Hedging}. Stateless. */
final class HedgingMapper {

  private HedgingMapper() {}

  static Hedging hedging(ModelExtensions extensions) {
    if (!extensions.hasHedging()) {
      return Hedging.OFF;
    }
    ModelExtensions.Hedging proto = extensions.getHedging();
    if (proto.hasAfterPercentile() && proto.getAfterPercentile() == 0) {
      throw new ConfigException("after_percentile", "a number from 50 to 99", 0);
    }
    return new Hedging(
        proto.hasAfterPercentile() ? proto.getAfterPercentile() : Hedging.DEFAULT_PERCENTILE,
        proto.hasMaxShare() ? proto.getMaxShare() : Hedging.OFF.maxShare());
  }

  static ModelExtensions.Hedging toProto(Hedging hedging) {
    return ModelExtensions.Hedging.newBuilder()
        .setAfterPercentile(hedging.afterPercentile())
        .setMaxShare(hedging.maxShare())
        .build();
  }
}
