package dev.conveyor.verticles.instance;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.scheduler.profile.CostSample;
import dev.conveyor.verticles.ServedModel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a new instance over the batch sizes that it may be given, so that the scheduler can predict
 * its batches before the first request: 1, 2, 4 and so on up to the largest, and the preferred
 * ones. Stateless; called on the instance's thread.
 *
 * <p>Ends early when the next size would presumably exceed the time allowed; the profile then
 * predicts the sizes that are missing with some pessimism, and learns them from requests. Inputs
 * are zeros, so models of varying shapes or strings have no warm-up of this kind.
 */
public final class CostWarmup {

  /** Of each size; the first pays for memory and caches and does not count. */
  static final int RUNS = 3;

  private static final Logger LOG = LoggerFactory.getLogger(CostWarmup.class);

  private record Zeros(int batchSize, List<Tensor> inputs) implements BatchRequest {}

  private CostWarmup() {}

  /** Returns what batches took; takes about {@code limit} at most, unless a single run does not. */
  public static List<CostSample> measure(
      ServedModel served, ModelExecutor executor, Duration limit, NanoClock clock) {
    return run(served, executor, limit, clock, RUNS);
  }

  /** Runs each size once, for the costs are known already. */
  public static void touch(
      ServedModel served, ModelExecutor executor, Duration limit, NanoClock clock) {
    List<CostSample> unused = run(served, executor, limit, clock, 1);
  }

  private static List<CostSample> run(
      ServedModel served, ModelExecutor executor, Duration limit, NanoClock clock, int runs) {
    final long startNs = clock.nanoTime();
    List<CostSample> samples = new ArrayList<>();
    double itemNs = 0;
    try {
      for (int size : sizes(served.config())) {
        double expectedNs = itemNs * size * runs;
        if (clock.nanoTime() - startNs + expectedNs > limit.toNanos()) {
          LOG.debug("{}: warm-up ends before batches of {}: no time", served.key(), size);
          return samples;
        }
        Optional<Zeros> batch = zeros(served, size);
        if (batch.isEmpty()) {
          return samples;
        }
        for (int i = 0; i < runs; i++) {
          long beforeNs = clock.nanoTime();
          executor.execute(List.of(batch.get())).discard();
          long tookNs = clock.nanoTime() - beforeNs;
          itemNs = (double) tookNs / size;
          if (i > 0) {
            samples.add(new CostSample(size, tookNs));
          }
        }
        if (executor.canWiden()) {
          runWide(executor, batch.get());
        }
      }
    } catch (ExecutionException e) {
      LOG.info("{}: warm-up ends early: {}", served.key(), e.getMessage());
    }
    return samples;
  }

  /**
   * Pays for memory and caches, so that no request does. What it costs is learned from requests, or
   * was stored: of models that warm up side by side, none finds the cores idle.
   */
  private static void runWide(ModelExecutor executor, Zeros batch) {
    executor.widen(true);
    try {
      executor.execute(List.of(batch)).discard();
    } finally {
      executor.widen(false);
    }
  }

  /** Returns the sizes to run, ascending. */
  static NavigableSet<Integer> sizes(ModelConfig config) {
    NavigableSet<Integer> sizes = new TreeSet<>();
    int max = Math.max(1, config.maxBatchSize());
    for (long size = 1; size < max; size *= 2) {
      sizes.add((int) size);
    }
    sizes.add(max);
    config.dynamicBatching().ifPresent(batching -> sizes.addAll(batching.preferredBatchSizes()));
    return sizes;
  }

  private static Optional<Zeros> zeros(ServedModel served, int size) {
    List<Tensor> inputs = new ArrayList<>();
    for (TensorSpec spec : served.signature().inputs()) {
      Shape shape = served.signature().batches() ? spec.shape().withFirst(size) : spec.shape();
      if (!shape.isStatic() || spec.type() == DataType.BYTES) {
        return Optional.empty();
      }
      inputs.add(WarmupData.zeros(spec, shape));
    }
    return Optional.of(new Zeros(size, inputs));
  }
}
