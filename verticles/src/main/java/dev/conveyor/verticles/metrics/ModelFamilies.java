package dev.conveyor.verticles.metrics;

import dev.conveyor.models.RefusalReason;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.ModelStats.BatchStats;
import dev.conveyor.verticles.metrics.ModelStats.FrameEvent;
import dev.conveyor.verticles.metrics.ModelStats.Histograms;
import dev.conveyor.verticles.metrics.ModelStats.Snapshot;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.ToLongFunction;

/**
 * The metric families of models: Triton's under Triton's names, and histograms.
 *
 * <p>Not thread-safe: owned by one scrape. The counters are copied once, so that the families of
 * one scrape agree as far as counters written meanwhile can.
 */
final class ModelFamilies {

  private static final int[] BATCH_BOUNDS = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

  /** One version; {@code objective} is empty if nothing is promised for it. */
  private record Row(
      String labels,
      Snapshot counters,
      Histograms histograms,
      Map<RefusalReason, Long> refusals,
      Map<FrameEvent, Long> frames,
      Optional<ObjectiveCounts> objective) {}

  private final List<Row> rows;
  private final Map<String, HandOver> ensembles = new LinkedHashMap<>();
  private final PrometheusText out;

  ModelFamilies(Collection<ServedModel> models, PrometheusText out) {
    this.out = out;
    this.rows =
        models.stream()
            .map(
                m ->
                    new Row(
                        PrometheusText.labels("model", m.name(), "version", m.version()),
                        m.stats().snapshot(),
                        m.stats().histograms(),
                        m.stats().refusals(),
                        m.stats().frames(),
                        Optional.of(m.stats().objective()).filter(c -> m.objectiveNs() > 0)))
            .toList();
    for (ServedModel model : models) {
      HandOver handOver = model.handOver();
      if (handOver != null) {
        ensembles.put(
            PrometheusText.labels("model", model.name(), "version", model.version()), handOver);
      }
    }
  }

  void write() {
    counter(
        "nv_inference_request_success",
        "Number of successful inference requests, all batch sizes",
        s -> s.success().count());
    failures();
    refusals();
    objectives();
    frames();
    counter(
        "nv_inference_count",
        "Number of inferences performed (does not include cached requests)",
        Snapshot::inferenceCount);
    counter(
        "nv_inference_exec_count",
        "Number of model executions performed (does not include cached requests)",
        Snapshot::executionCount);
    counter(
        "nv_inference_request_duration_us",
        "Cumulative inference request duration in microseconds",
        s -> s.success().ns() / 1000);
    counter(
        "nv_inference_queue_duration_us",
        "Cumulative inference queuing duration in microseconds",
        s -> s.queue().ns() / 1000);
    counter(
        "nv_inference_compute_input_duration_us",
        "Cumulative compute input duration in microseconds, counted for every request of a batch",
        s -> s.computeInput().ns() / 1000);
    counter(
        "nv_inference_compute_infer_duration_us",
        "Cumulative compute inference duration in microseconds, counted for every request of a"
            + " batch",
        s -> s.computeInfer().ns() / 1000);
    counter(
        "nv_inference_compute_output_duration_us",
        "Cumulative inference compute output duration in microseconds, counted for every request"
            + " of a batch",
        s -> s.computeOutput().ns() / 1000);
    histogram("request", "From arrival to answer, per answered request", Histograms::request);
    histogram("queue", "From arrival to the start of the batch, per request", Histograms::queue);
    histogram(
        "preprocess", "Decoding and resizing, per request with images", Histograms::preprocess);
    histogram("copy_in", "Gathering inputs, per execution", Histograms::copyIn);
    histogram("compute", "Running the model, per execution", Histograms::compute);
    histogram("copy_out", "Handing out outputs, per execution", Histograms::copyOut);
    batchSizes();
    handOver(
        "conveyor_ensemble_handed_on_bytes_total",
        "Bytes that steps of an ensemble got from steps",
        HandOver::handedOnBytes);
    handOver(
        "conveyor_ensemble_on_device_bytes_total",
        "Of these bytes, those that stayed on the device that had computed them",
        HandOver::onDeviceBytes);
    handOver(
        "conveyor_ensemble_copied_bytes_total",
        "Of these bytes, those that were copied on the way",
        HandOver::copiedBytes);
  }

  private void handOver(String name, String help, ToLongFunction<HandOver> value) {
    if (ensembles.isEmpty()) {
      return;
    }
    out.counter(name, help);
    ensembles.forEach((labels, handOver) -> out.sample(labels, value.applyAsLong(handOver)));
  }

  private void counter(String name, String help, ToLongFunction<Snapshot> value) {
    out.counter(name, help);
    for (Row row : rows) {
      out.sample(row.labels, value.applyAsLong(row.counters));
    }
  }

  private void histogram(
      String phase, String help, Function<Histograms, LatencySnapshot> latencies) {
    out.histogram("conveyor_" + phase + "_seconds", help);
    for (Row row : rows) {
      out.samples(row.labels, latencies.apply(row.histograms));
    }
  }

  private void failures() {
    out.counter(
        "nv_inference_request_failure", "Number of failed inference requests, all batch sizes");
    for (Row row : rows) {
      row.counters
          .failures()
          .forEach(
              (reason, count) ->
                  out.sample(
                      PrometheusText.join(
                          row.labels, PrometheusText.labels("reason", reason.name())),
                      count));
    }
  }

  private void refusals() {
    out.counter(
        "conveyor_requests_refused_total",
        "Requests that were turned away although they may do better later, by reason");
    for (Row row : rows) {
      row.refusals.forEach(
          (reason, count) ->
              out.sample(
                  PrometheusText.join(row.labels, PrometheusText.labels("reason", reason.label())),
                  count));
    }
  }

  private void objectives() {
    out.counter(
        "conveyor_objective_requests_total",
        "Requests that were answered by models with a latency objective: inside it, or late");
    for (Row row : rows) {
      row.objective.ifPresent(
          counts -> {
            objective(row, "inside", counts.inside());
            objective(row, "late", counts.late());
          });
    }
  }

  private void objective(Row row, String outcome, long count) {
    out.sample(PrometheusText.join(row.labels, PrometheusText.labels("outcome", outcome)), count);
  }

  private void frames() {
    out.counter("conveyor_stream_frames_received_total", "Frames of streams that came in");
    for (Row row : rows) {
      Long received = row.frames.get(FrameEvent.RECEIVED);
      if (received != null) {
        out.sample(row.labels, received);
      }
    }
    out.counter(
        "conveyor_stream_frames_total",
        "Frames of streams by what became of them: answered, failed, dropped because the stream was"
            + " faster than the model, or abandoned with the stream");
    for (Row row : rows) {
      row.frames.forEach(
          (event, count) -> {
            if (event != FrameEvent.RECEIVED) {
              String end = event.name().toLowerCase(Locale.ROOT);
              out.sample(
                  PrometheusText.join(row.labels, PrometheusText.labels("outcome", end)), count);
            }
          });
    }
  }

  private void batchSizes() {
    out.histogram("conveyor_batch_size", "Items per execution");
    for (Row row : rows) {
      Map<Integer, BatchStats> batches = row.counters.batches();
      for (int bound : BATCH_BOUNDS) {
        out.bucket(row.labels, Integer.toString(bound), executions(batches, bound));
      }
      long items = 0;
      for (Map.Entry<Integer, BatchStats> batch : batches.entrySet()) {
        items += batch.getKey() * batch.getValue().computeInfer().count();
      }
      out.end(row.labels, (double) items, executions(batches, Integer.MAX_VALUE));
    }
  }

  private static long executions(Map<Integer, BatchStats> batches, int upToSize) {
    return batches.entrySet().stream()
        .filter(batch -> batch.getKey() <= upToSize)
        .mapToLong(batch -> batch.getValue().computeInfer().count())
        .sum();
  }
}
