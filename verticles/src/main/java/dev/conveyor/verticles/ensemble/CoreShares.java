package dev.conveyor.verticles.ensemble;

import dev.conveyor.scheduler.fairness.FairTurns.Owner;

/**
 * One ensemble among those that want the cores for steps without a model.
 *
 * @param decoders for steps that decode images, in turn with the images of models
 * @param workers for the others
 */
public record CoreShares(Owner decoders, Owner workers) {

  /** Steps of one ensemble that wait for a worker or are on one. */
  static final int MAX_WAITING = 1024 * Items.WINDOW;

  /** Returns the shares of an ensemble of that weight, which has had nothing yet. */
  static CoreShares of(double weight) {
    return new CoreShares(new Owner(weight, MAX_WAITING), new Owner(weight, MAX_WAITING));
  }
}
