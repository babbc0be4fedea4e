package dev.conveyor.verticles.metrics;

import dev.conveyor.models.process.Spares;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.isolation.IsolationJournal;
import io.micrometer.core.instrument.binder.jvm.ClassLoaderMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Everything one scrape returns: models, queues, devices, the host, and the JVM as Micrometer sees
 * it.
 *
 * <p>Thread-safe, if its sources are. Rendering hundreds of models takes milliseconds: not for
 * event loops. Listens to garbage collections until it is closed.
 */
public final class MetricsReport implements Supplier<String>, AutoCloseable {

  private final ModelCatalog catalog;
  private final Supplier<SystemSnapshot> system;
  private final Supplier<List<IsolationJournal.Count>> decisions;
  private final LifecycleCounters lifecycle;
  private final Supplier<Spares> spares;
  private final LongSupplier nativeBytes;
  private final HostFigures host = new HostFigures();
  private final PrometheusMeterRegistry jvm = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final JvmGcMetrics gc = new JvmGcMetrics();

  /**
   * Creates a report.
   *
   * @param decisions what was decided to keep faults small
   * @param lifecycle what happened to models as a whole
   * @param spares workers that have no model yet
   * @param nativeBytes memory that native libraries hold outside the Java heap
   */
  public MetricsReport(
      ModelCatalog catalog,
      Supplier<SystemSnapshot> system,
      Supplier<List<IsolationJournal.Count>> decisions,
      LifecycleCounters lifecycle,
      Supplier<Spares> spares,
      LongSupplier nativeBytes) {
    this.catalog = catalog;
    this.system = system;
    this.decisions = decisions;
    this.lifecycle = lifecycle;
    this.spares = spares;
    this.nativeBytes = nativeBytes;
    gc.bindTo(jvm);
    new JvmMemoryMetrics().bindTo(jvm);
    new JvmThreadMetrics().bindTo(jvm);
    new ClassLoaderMetrics().bindTo(jvm);
    new ProcessorMetrics().bindTo(jvm);
    new FileDescriptorMetrics().bindTo(jvm);
    new UptimeMetrics().bindTo(jvm);
  }

  @Override
  public String get() {
    PrometheusText out = new PrometheusText();
    new ModelFamilies(catalog.all(), out).write();
    SystemSnapshot now = system.get();
    SystemFamilies.write(now, out);
    GpuFamilies.write(now, out);
    out.counter(
        "conveyor_isolation_decisions_total", "Decisions that kept a fault small, with the reason");
    for (IsolationJournal.Count count : decisions.get()) {
      IsolationJournal.Key key = count.key();
      out.sample(
          PrometheusText.labels(
              "model", key.model(), "decision", key.decision().label(), "reason", key.reason()),
          count.count());
    }
    Spares workers = spares.get();
    out.gauge("conveyor_spare_workers", "Worker processes that have started and have no model")
        .sample("", workers.ready().size());
    out.counter(
            "conveyor_spare_workers_taken_total",
            "Workers that were lost or added and did not have to start")
        .sample("", workers.taken());
    lifecycle.write(out);
    RolloutFamilies.write(catalog.rollouts(), out);
    out.gauge(
            "conveyor_native_bytes",
            "Memory that was allocated outside the Java heap and not freed")
        .sample("", nativeBytes.getAsLong());
    SystemFamilies.writeHost(host, out);
    return out + jvm.scrape();
  }

  @Override
  public void close() {
    gc.close();
    jvm.close();
  }
}
