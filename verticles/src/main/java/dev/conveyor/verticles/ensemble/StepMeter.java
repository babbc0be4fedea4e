package dev.conveyor.verticles.ensemble;

import dev.conveyor.verticles.metrics.ModelStats;

/**
 * Counts one run of a step that needs no model, from when its inputs are there. Made by the request
 * and told by the worker.
 */
final class StepMeter {

  private final ModelStats stats;
  private final int items;
  private final long arrivalNs = System.nanoTime();

  /**
   * Begins.
   *
   * @param items batch size of the request
   */
  StepMeter(ModelStats stats, int items) {
    this.stats = stats;
    this.items = items;
  }

  /** It has run: what it took is one execution for one request. */
  void ran(long startNs) {
    long endNs = System.nanoTime();
    stats.onBatch(1, items, 0, endNs - startNs, 0);
    stats.onSuccess(items, 0, startNs - arrivalNs, endNs - arrivalNs);
  }

  /** It cannot use its inputs, or is broken. */
  void failed() {
    stats.onFailure(ModelStats.Reason.BACKEND, System.nanoTime() - arrivalNs);
  }
}
