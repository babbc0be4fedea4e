package dev.conveyor.verticles.grpc;

import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.ModelStats;
import dev.conveyor.verticles.proto.InferBatchStatistics;
import dev.conveyor.verticles.proto.InferStatistics;
import dev.conveyor.verticles.proto.ModelStatistics;
import dev.conveyor.verticles.proto.StatisticDuration;
import java.util.TreeMap;

/** A model's counters as the protocol's message. Thread-safe: no state. */
final class Statistics {

  private Statistics() {}

  /** Returns the figures of one version, batch sizes ascending. */
  static ModelStatistics of(ServedModel served) {
    ModelStats.Snapshot snapshot = served.stats().snapshot();
    ModelStatistics.Builder answer =
        ModelStatistics.newBuilder()
            .setName(served.name())
            .setVersion(served.version())
            .setLastInference(snapshot.lastInferenceMs())
            .setInferenceCount(snapshot.inferenceCount())
            .setExecutionCount(snapshot.executionCount())
            .setInferenceStats(
                InferStatistics.newBuilder()
                    .setSuccess(duration(snapshot.success()))
                    .setFail(duration(snapshot.fail()))
                    .setQueue(duration(snapshot.queue()))
                    .setComputeInput(duration(snapshot.computeInput()))
                    .setComputeInfer(duration(snapshot.computeInfer()))
                    .setComputeOutput(duration(snapshot.computeOutput()))
                    // There is no response cache; clients expect the fields all the same.
                    .setCacheHit(StatisticDuration.getDefaultInstance())
                    .setCacheMiss(StatisticDuration.getDefaultInstance()));
    new TreeMap<>(snapshot.batches())
        .forEach(
            (size, batch) ->
                answer.addBatchStats(
                    InferBatchStatistics.newBuilder()
                        .setBatchSize(size)
                        .setComputeInput(duration(batch.computeInput()))
                        .setComputeInfer(duration(batch.computeInfer()))
                        .setComputeOutput(duration(batch.computeOutput()))));
    return answer.build();
  }

  private static StatisticDuration duration(ModelStats.Duration duration) {
    return StatisticDuration.newBuilder().setCount(duration.count()).setNs(duration.ns()).build();
  }
}
