package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.Lane;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.HdrHistogram.Histogram;

/**
 * What a model feels of the loads of another one: its 99th percentile while a large model is loaded
 * and unloaded over and over, over that of quiet windows right before and after, so that what the
 * machine does besides is in both. As a control, the same beside a process that shares nothing with
 * the server but the cores: no load can be expected to disturb less.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite.
 */
final class LoadNeighbourRow {

  private static final String SERVED = "squeezenet";
  private static final String LOADED = "densenet121";
  private static final int PAIRS = 3;

  /** At low priority a load takes long on a busy machine; what was seen by then has to do. */
  private static final long PATIENCE_NS = TimeUnit.SECONDS.toNanos(40);

  /** Of the priority at which models are loaded. */
  private static final List<String> SPINNING =
      List.of("nice", "-n", "19", "sh", "-c", "while :; do :; done");

  private final Lab lab;

  LoadNeighbourRow(Lab lab) {
    this.lab = lab;
  }

  SuiteRow row() {
    return new SuiteRow(
        "p99 of squeezenet, one request at a time, while densenet121 is loaded and unloaded /"
            + " while nothing is loaded",
        Target.atMost(1.10, ""),
        this::measure);
  }

  private Measured measure() throws Exception {
    TestRepository repository = lab.repository();
    repository.add(SERVED, lab.modelFile(SERVED + ".onnx"), TestRepository.config(8, 1, 1));
    repository.add(LOADED, lab.modelFile(LOADED + ".onnx"), TestRepository.config(8, 1, 1));
    try (ServerProcess server = lab.startServer(repository, List.of());
        HttpLoad load = HttpLoad.on(lab, server)) {
      server.repository(LOADED, "unload");
      LoadPoint warm = window(server, load, lab.warmup());
      if (warm.failures() > 0) {
        throw new CannotMeasureException("requests fail: " + warm.errors());
      }
      List<Histogram> quiet = new ArrayList<>();
      List<Histogram> control = new ArrayList<>();
      List<Histogram> disturbed = new ArrayList<>();
      AtomicInteger loads = new AtomicInteger();
      Duration each = lab.duration().dividedBy(PAIRS);
      long giveUpNs = System.nanoTime() + PATIENCE_NS;
      boolean inTime = true;
      for (int pair = 0; pair < PAIRS && inTime; pair++) {
        quiet.add(window(server, load, each).latencyNs());
        Process spinning = Programs.start(lab.pinned(SPINNING), lab.scratch().resolve("spin.out"));
        try {
          control.add(window(server, load, each).latencyNs());
        } finally {
          spinning.destroyForcibly().waitFor();
        }
        AtomicBoolean done = new AtomicBoolean();
        CompletableFuture<Void> loading =
            CompletableFuture.runAsync(() -> loadAndUnload(server, done, loads));
        disturbed.add(window(server, load, each).latencyNs());
        done.set(true);
        inTime = ended(loading, giveUpNs);
      }
      return judge(
          LoadPoint.merged(quiet),
          LoadPoint.merged(control),
          LoadPoint.merged(disturbed),
          loads.get());
    }
  }

  /** Waits for the load under way; returns false if that takes too long. */
  private static boolean ended(CompletableFuture<Void> loading, long giveUpNs) throws Exception {
    try {
      loading.get(Math.max(0, giveUpNs - System.nanoTime()), TimeUnit.NANOSECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    }
  }

  static Measured judge(Histogram quiet, Histogram control, Histogram disturbed, int loads) {
    if (loads == 0) {
      throw new CannotMeasureException("no load came to its end; measure for longer");
    }
    double before = quiet.getValueAtPercentile(99) / 1e6;
    double beside = control.getValueAtPercentile(99) / 1e6;
    double during = disturbed.getValueAtPercentile(99) / 1e6;
    return new Measured(
        during / before,
        String.format(
            Locale.ROOT,
            "p99 %.2f ms over %d requests while %d loads were done, %.2f ms over %d requests"
                + " without; %.3f times as long (%.2f ms, %d requests) beside a process that does"
                + " nothing but spin at the lowest priority: that is this machine's part",
            during,
            disturbed.getTotalCount(),
            loads,
            before,
            quiet.getTotalCount(),
            beside / before,
            beside,
            control.getTotalCount()));
  }

  private static void loadAndUnload(ServerProcess server, AtomicBoolean done, AtomicInteger loads) {
    try {
      while (!done.get()) {
        server.repository(LOADED, "load");
        loads.incrementAndGet();
        server.repository(LOADED, "unload");
      }
    } catch (Exception e) {
      throw new CannotMeasureException("loading " + LOADED + ": " + e);
    }
  }

  private static LoadPoint window(ServerProcess server, HttpLoad load, Duration duration)
      throws Exception {
    Lane lane = load.driver().lane(SERVED, List.of(load.payload(SERVED)));
    return load.driver()
        .run(
            List.of(lane),
            new LoadPlan(
                new LoadPattern.Closed(1),
                Duration.ZERO,
                duration,
                server.cpu(),
                ProcFs.ownCpu(),
                1));
  }
}
