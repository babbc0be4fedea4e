package dev.conveyor.models.tune;

import java.util.Locale;

/**
 * One way to serve a model.
 *
 * @param instances executions side by side
 * @param threads of one execution; 0 divides the cores among the instances
 * @param idleThreads of one execution while nothing else wants the cores; 0 for no difference
 * @param maxBatchSize 0 for a model without a batch dimension
 * @param maxQueueDelayMicros longest wait for a batch to fill
 * @param version of the model, which may be of another precision than the others
 * @param provider what executes: {@code cpu} for ONNX Runtime's own kernels
 */
public record Setting(
    int instances,
    int threads,
    int idleThreads,
    int maxBatchSize,
    long maxQueueDelayMicros,
    long version,
    String provider) {

  /** ONNX Runtime's own kernels. */
  public static final String CPU = "cpu";

  /** A setting whose executions have as many threads at any time. */
  public Setting(
      int instances,
      int threads,
      int maxBatchSize,
      long maxQueueDelayMicros,
      long version,
      String provider) {
    this(instances, threads, 0, maxBatchSize, maxQueueDelayMicros, version, provider);
  }

  /** Returns the same without more threads while nothing else wants the cores. */
  public Setting withoutIdleThreads() {
    return new Setting(instances, threads, maxBatchSize, maxQueueDelayMicros, version, provider);
  }

  /** Returns in how many values two settings differ. */
  int distance(Setting other) {
    return (instances == other.instances ? 0 : 1)
        + (threads == other.threads ? 0 : 1)
        + (idleThreads == other.idleThreads ? 0 : 1)
        + (maxBatchSize == other.maxBatchSize ? 0 : 1)
        + (maxQueueDelayMicros == other.maxQueueDelayMicros ? 0 : 1)
        + (version == other.version ? 0 : 1)
        + (provider.equals(other.provider) ? 0 : 1);
  }

  /** Returns for example {@code 2 x 1 thread, batch 8, delay 0 us, version 1, cpu}. */
  public String text() {
    return String.format(
        Locale.ROOT,
        "%d x %s%s, batch %d, delay %d us, version %d, %s",
        instances,
        threads == 0 ? "all threads" : threads + (threads == 1 ? " thread" : " threads"),
        idleThreads == 0 ? "" : " (idle " + idleThreads + ")",
        maxBatchSize,
        maxQueueDelayMicros,
        version,
        provider);
  }
}
