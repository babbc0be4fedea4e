package dev.conveyor.verticles.cli.tune;

import dev.conveyor.models.tune.SearchSpace;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which settings to try. Not thread-safe: one command line. */
public final class SpaceOptions {

  @Option(names = "--instances", split = ",", paramLabel = "N", description = "Numbers to try.")
  private @Nullable List<Integer> instances;

  @Option(names = "--threads", split = ",", paramLabel = "N", description = "Numbers to try.")
  private @Nullable List<Integer> threads;

  @Option(
      names = "--idle-threads",
      split = ",",
      paramLabel = "N",
      description =
          "Numbers to try while nothing else wants the cores; 0 for no more than otherwise.")
  private @Nullable List<Integer> idleThreads;

  @Option(names = "--batch", split = ",", paramLabel = "N", description = "Largest batches to try.")
  private @Nullable List<Integer> batches;

  @Option(
      names = "--delay",
      split = ",",
      paramLabel = "US",
      description = "Queue delays to try, in microseconds.")
  private @Nullable List<Long> delays;

  @Option(
      names = "--versions",
      split = ",",
      paramLabel = "N",
      description = "Versions to try, which may differ in precision. Default: all there are.")
  private @Nullable List<Long> versions;

  @Option(
      names = "--providers",
      split = ",",
      paramLabel = "NAME",
      description = "Providers to try: cpu, dnnl. Default: both.")
  private @Nullable List<String> providers;

  /** Returns what was asked for, and the usual where nothing was. */
  public SearchSpace of(SearchSpace usual) {
    return new SearchSpace(
        instances == null ? usual.instances() : instances,
        threads == null ? usual.threads() : threads,
        idleThreads == null ? usual.idleThreads() : idleThreads,
        batches == null ? usual.maxBatchSizes() : batches,
        delays == null ? usual.maxQueueDelayMicros() : delays,
        versions == null ? usual.versions() : versions,
        providers == null ? usual.providers() : providers,
        usual.cores());
  }
}
