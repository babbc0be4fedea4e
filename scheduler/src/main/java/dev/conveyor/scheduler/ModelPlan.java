package dev.conveyor.scheduler;

import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.Hedging;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.batching.Batcher;
import dev.conveyor.scheduler.batching.DeadlineBatcher;
import dev.conveyor.scheduler.batching.DynamicBatcher;
import dev.conveyor.scheduler.batching.RequestQueue;
import java.util.Optional;

/**
 * How one version of a model is to be scheduled.
 *
 * @param maxBatchSize 0 for a model without a batch dimension
 * @param dynamicBatching empty: every request is its own batch
 * @param weight share of device time against other models
 * @param defaultMaxQueueSize requests that may wait if the queue policy does not say; 0 for no
 *     bound
 * @param admission what is taken in before requests are turned away
 * @param serviceLevel what its requests are promised, and against whom
 * @param hedging whether requests that take long run a second time
 */
public record ModelPlan(
    String name,
    String version,
    int maxBatchSize,
    Optional<DynamicBatching> dynamicBatching,
    double weight,
    int defaultMaxQueueSize,
    Admission admission,
    ServiceLevel serviceLevel,
    Hedging hedging) {

  public ModelPlan {
    if (maxBatchSize < 0 || defaultMaxQueueSize < 0 || !(weight > 0)) {
      throw new IllegalArgumentException(
          name
              + ": sizes are not negative and the weight is above 0, were "
              + maxBatchSize
              + ", "
              + defaultMaxQueueSize
              + ", "
              + weight);
    }
  }

  /** Creates a plan without hedging. */
  public ModelPlan(
      String name,
      String version,
      int maxBatchSize,
      Optional<DynamicBatching> dynamicBatching,
      double weight,
      int defaultMaxQueueSize,
      Admission admission,
      ServiceLevel serviceLevel) {
    this(
        name,
        version,
        maxBatchSize,
        dynamicBatching,
        weight,
        defaultMaxQueueSize,
        admission,
        serviceLevel,
        Hedging.OFF);
  }

  /** Creates a plan without an objective. */
  public ModelPlan(
      String name,
      String version,
      int maxBatchSize,
      Optional<DynamicBatching> dynamicBatching,
      double weight,
      int defaultMaxQueueSize,
      Admission admission) {
    this(
        name,
        version,
        maxBatchSize,
        dynamicBatching,
        weight,
        defaultMaxQueueSize,
        admission,
        ServiceLevel.DEFAULT);
  }

  /** Creates a plan that bounds the number of queued requests only. */
  public ModelPlan(
      String name,
      String version,
      int maxBatchSize,
      Optional<DynamicBatching> dynamicBatching,
      double weight,
      int defaultMaxQueueSize,
      ServiceLevel serviceLevel) {
    this(
        name,
        version,
        maxBatchSize,
        dynamicBatching,
        weight,
        defaultMaxQueueSize,
        Admission.DEFAULT,
        serviceLevel);
  }

  /** Creates a plan without an objective that bounds the number of queued requests only. */
  public ModelPlan(
      String name,
      String version,
      int maxBatchSize,
      Optional<DynamicBatching> dynamicBatching,
      double weight,
      int defaultMaxQueueSize) {
    this(
        name,
        version,
        maxBatchSize,
        dynamicBatching,
        weight,
        defaultMaxQueueSize,
        Admission.DEFAULT,
        ServiceLevel.DEFAULT);
  }

  /** Returns the items of the largest batch that is ever cut from its queue, if all are single. */
  int largestBatch() {
    return dynamicBatching.isPresent() ? Math.max(1, maxBatchSize) : 1;
  }

  /** Returns what instances and snapshots call it: {@code name/version}. */
  public String key() {
    return key(name, version);
  }

  /** Returns the key of a version of a model. */
  public static String key(String name, String version) {
    return name + "/" + version;
  }

  /** A second execution could overtake the first, so order and hedging exclude each other. */
  boolean hedges() {
    return hedging.isOn() && !preservesOrdering();
  }

  boolean preservesOrdering() {
    return dynamicBatching.isPresent() && dynamicBatching.get().preserveOrdering();
  }

  /** Returns the rule that cuts batches from its queue, with an empty queue. */
  Batcher newBatcher() {
    DynamicBatching batching = dynamicBatching.orElse(DynamicBatching.DEFAULT);
    RequestQueue queue = new RequestQueue(name, batching, serviceLevel, defaultMaxQueueSize);
    return serviceLevel.hasObjective()
        ? new DeadlineBatcher(
            name,
            maxBatchSize,
            dynamicBatching.isPresent(),
            serviceLevel.latencyObjective().toNanos(),
            !batching.preserveOrdering(),
            queue)
        : new DynamicBatcher(name, maxBatchSize, dynamicBatching, queue);
  }
}
