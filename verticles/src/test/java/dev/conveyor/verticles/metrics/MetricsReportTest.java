package dev.conveyor.verticles.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.cpu.CpuFigures;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.process.Spares;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.isolation.Decision;
import dev.conveyor.verticles.isolation.IsolationJournal;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

final class MetricsReportTest {

  private static final String[] MODEL = {"model", "m", "version", "1"};

  private final ModelCatalog catalog = new ModelCatalog();
  private final RecordingModelStats stats = new RecordingModelStats();
  private final LifecycleCounters lifecycle = new LifecycleCounters();
  private final List<IsolationJournal.Count> decisions = new ArrayList<>();

  @Test
  void shouldShowTritonsCountersUnderTritonsNames() {
    stats.onSuccess(4, 0, 2_000_000, 5_000_000);
    stats.onBatch(1, 4, 10_000, 3_000_000, 20_000);
    stats.onFailure(ModelStats.Reason.REJECTED, 1);
    catalog.publish("m", List.of(Samples.model("m", "1", stats)));

    StrictExposition shown = scrape(Samples.system("m", 7));
    assertThat(shown.value("nv_inference_request_success", MODEL)).isEqualTo(1);
    assertThat(shown.value("nv_inference_count", MODEL)).isEqualTo(4);
    assertThat(shown.value("nv_inference_exec_count", MODEL)).isEqualTo(1);
    assertThat(shown.value("nv_inference_request_duration_us", MODEL)).isEqualTo(5_000);
    assertThat(shown.value("nv_inference_queue_duration_us", MODEL)).isEqualTo(2_000);
    assertThat(shown.value("nv_inference_compute_input_duration_us", MODEL)).isEqualTo(10);
    assertThat(shown.value("nv_inference_compute_infer_duration_us", MODEL)).isEqualTo(3_000);
    assertThat(shown.value("nv_inference_compute_output_duration_us", MODEL)).isEqualTo(20);
    assertThat(failures(shown, "REJECTED")).isEqualTo(1);
    assertThat(failures(shown, "CANCELED")).isZero();
    assertThat(shown.value("nv_inference_pending_request_count", MODEL)).isEqualTo(7);
    assertThat(shown.type("nv_inference_count")).isEqualTo("counter");
  }

  @Test
  void shouldCountWhatWasAnsweredInsideTheObjectiveAndLate() {
    ServedModel promising = Samples.promising("m", 5_000, stats);
    promising.countAnswer(1, 0, 0, 5_000_000);
    promising.countAnswer(4, 0, 0, 5_000_001);
    promising.countAnswer(4, 0, 0, 9_000_000);
    stats.onRefused(RefusalReason.DEADLINE);
    catalog.publish("m", List.of(promising));
    ServedModel other = Samples.model("other", "1", new RecordingModelStats());
    other.countAnswer(1, 0, 0, 1);
    catalog.publish("other", List.of(other));

    StrictExposition shown = scrape(SystemSnapshot.EMPTY);
    assertThat(objective(shown, "m", "inside")).isEqualTo(1);
    assertThat(objective(shown, "m", "late")).isEqualTo(2);
    assertThat(stats.objective()).isEqualTo(new ObjectiveCounts(1, 2, 1));
    assertThat(stats.objective().share()).hasValue(0.25);
    assertThat(other.stats().objective().share()).isEmpty();
    assertThatThrownBy(() -> objective(shown, "other", "inside"))
        .isInstanceOf(AssertionError.class);
    assertThat(shown.value("nv_inference_request_success", MODEL)).isEqualTo(3);
  }

  private static double objective(StrictExposition shown, String model, String outcome) {
    return shown.value(
        "conveyor_objective_requests_total", "model", model, "version", "1", "outcome", outcome);
  }

  @Test
  void shouldShowHistogramsOfDurationsInSecondsAndOfBatchSizes() {
    stats.onSuccess(1, 0, 900_000, 1_000_000);
    stats.onSuccess(1, 0, 900_000, 1_000_001);
    stats.onBatch(1, 2, 1, 1, 1);
    stats.onBatch(1, 3, 1, 1, 1);
    catalog.publish("m", List.of(Samples.model("m", "1", stats)));

    StrictExposition shown = scrape(SystemSnapshot.EMPTY);
    assertThat(bucket(shown, "conveyor_request_seconds", "0.001")).isEqualTo(1);
    assertThat(bucket(shown, "conveyor_request_seconds", "0.002")).isEqualTo(2);
    assertThat(bucket(shown, "conveyor_request_seconds", "+Inf")).isEqualTo(2);
    assertThat(shown.value("conveyor_queue_seconds_sum", MODEL)).isEqualTo(0.0018);
    assertThat(shown.value("conveyor_preprocess_seconds_count", MODEL)).isZero();
    assertThat(bucket(shown, "conveyor_batch_size", "1")).isZero();
    assertThat(bucket(shown, "conveyor_batch_size", "2")).isEqualTo(1);
    assertThat(bucket(shown, "conveyor_batch_size", "4")).isEqualTo(2);
    assertThat(shown.value("conveyor_batch_size_sum", MODEL)).isEqualTo(5);
  }

  @Test
  void shouldCountWhatHappensToModels() {
    lifecycle.count(LifecycleCounters.Event.EVICTED, "model", "m");
    lifecycle.count(LifecycleCounters.Event.EVICTED, "model", "m");
    lifecycle.count(LifecycleCounters.Event.LOAD_FAILED);

    StrictExposition shown = scrape(SystemSnapshot.EMPTY);
    assertThat(shown.value("conveyor_model_evictions_total", "model", "m")).isEqualTo(2);
    assertThat(shown.value("conveyor_model_load_failures_total")).isEqualTo(1);
    assertThat(shown.type("conveyor_instance_steps_total")).isEqualTo("counter");
  }

  @Test
  void shouldShowDevicesInstancesAndNativeMemory() {
    StrictExposition shown = scrape(Samples.system("m", 0));
    assertThat(shown.value("conveyor_device_busy_fraction", "device", "CPU", "kind", "CPU"))
        .isEqualTo(0.75);
    assertThat(shown.value("conveyor_device_memory_capacity_bytes", "device", "CPU"))
        .isEqualTo(1000);
    assertThat(
            shown.value(
                "conveyor_device_memory_reserved_bytes", "device", "CPU", "owner", "a/weights"))
        .isEqualTo(200);
    assertThat(
            shown.value(
                "conveyor_instances",
                "model",
                "m",
                "version",
                "1",
                "device",
                "CPU",
                "state",
                "IDLE"))
        .isEqualTo(1);
    assertThat(shown.value("conveyor_native_bytes")).isEqualTo(4096);
  }

  @Test
  void shouldShowWhatTheSystemTellsOfTheCpuAndLeaveTheRestOut() {
    StrictExposition shown =
        scrape(
            Samples.system(
                new CpuFigures(
                    OptionalDouble.of(0.5), OptionalLong.of(61), OptionalDouble.of(95.5))));
    assertThat(shown.value("nv_cpu_utilization")).isEqualTo(0.5);
    assertThat(shown.value("conveyor_cpu_temperature_celsius")).isEqualTo(61);
    assertThat(shown.value("conveyor_cpu_power_usage")).isEqualTo(95.5);

    try (MetricsReport report = report(Samples.system(CpuFigures.NONE))) {
      assertThat(report.get()).doesNotContain("nv_cpu_utilization", "conveyor_cpu_");
    }
  }

  @Test
  void shouldShowHostAndJvm() {
    StrictExposition shown = scrape(SystemSnapshot.EMPTY);
    assertThat(shown.value("process_cpu_seconds_total")).isPositive();
    assertThat(shown.type("jvm_memory_used_bytes")).isEqualTo("gauge");
    assertThat(shown.type("jvm_gc_max_data_size_bytes")).isEqualTo("gauge");
  }

  @Test
  void shouldEscapeHostileNames() {
    String name = "a\"} 1\nx{y=\"\\";
    catalog.publish(name, List.of(Samples.model(name, "1", stats)));
    StrictExposition shown = scrape(SystemSnapshot.EMPTY);
    assertThat(shown.value("nv_inference_count", "model", name, "version", "1")).isZero();
  }

  @Test
  void shouldShowNoModelWhenThereIsNone() {
    assertThat(scrape(SystemSnapshot.EMPTY).type("nv_inference_count")).isEqualTo("counter");
  }

  @Test
  void shouldHaveAParserThatRefusesWhatIsWrong() {
    String head = "# HELP a b\n# TYPE a counter\n";
    for (String wrong :
        List.of(
            "a 1\n",
            head + "a{b=\"c} 1\n",
            head + "a 1\na 1\n",
            head + "a -1\n",
            head + "b 1\n",
            head + head,
            head + "a 1")) {
      assertThatThrownBy(() -> StrictExposition.parse(wrong))
          .as(wrong)
          .isInstanceOf(AssertionError.class);
    }
  }

  @Test
  void shouldCountTheDecisionsThatKeptFaultsSmall() {
    decisions.add(
        new IsolationJournal.Count(
            new IsolationJournal.Key("m", Decision.BATCH_SPLIT, "execution_failed"), 3));
    assertThat(
            scrape(SystemSnapshot.EMPTY)
                .value(
                    "conveyor_isolation_decisions_total",
                    "model",
                    "m",
                    "decision",
                    "batch_split",
                    "reason",
                    "execution_failed"))
        .isEqualTo(3);
  }

  @Test
  void shouldCountSpareWorkersAndThoseThatWereTaken() {
    StrictExposition shown = scrape(SystemSnapshot.EMPTY);
    assertThat(shown.value("conveyor_spare_workers")).isEqualTo(1);
    assertThat(shown.value("conveyor_spare_workers_taken_total")).isEqualTo(5);
  }

  private StrictExposition scrape(SystemSnapshot system) {
    try (MetricsReport report = report(system)) {
      return StrictExposition.parse(report.get());
    }
  }

  private MetricsReport report(SystemSnapshot system) {
    Spares spares = new Spares(List.of(new Spares.Spare(17, 4)), 5);
    return new MetricsReport(
        catalog, () -> system, () -> decisions, lifecycle, () -> spares, () -> 4096);
  }

  private static double failures(StrictExposition shown, String reason) {
    return shown.value(
        "nv_inference_request_failure", "model", "m", "version", "1", "reason", reason);
  }

  private static double bucket(StrictExposition shown, String name, String le) {
    return shown.value(name + "_bucket", "model", "m", "version", "1", "le", le);
  }
}
