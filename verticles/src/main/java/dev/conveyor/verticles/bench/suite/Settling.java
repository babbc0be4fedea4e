package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.CpuClock;
import java.time.Duration;
import java.util.Locale;
import java.util.OptionalDouble;

/**
 * Keeps a server under load until its optimising compiler has little left to do. It takes a core
 * for a quarter of a minute and longer, at a few hundred requests per second for a whole minute;
 * that is what a server costs once, not what a request costs.
 *
 * @param warmup how long that took
 * @param share of one core that the compiler took in the last window
 */
record Settling(Duration warmup, double share) {

  static final double QUIET_SHARE = 0.02;

  private static final int MAX_WINDOWS = 18;

  /** Puts the server under load for a while. */
  @FunctionalInterface
  interface Load {
    void run(Duration duration) throws Exception;
  }

  /**
   * Repeats windows of this length until one is quiet, or there were {@link #MAX_WINDOWS}.
   *
   * @throws CannotMeasureException if the compiler's CPU time cannot be read
   */
  static Settling await(Load load, CpuClock compiler, Duration window) throws Exception {
    double share = 1;
    int windows = 0;
    while (windows < MAX_WINDOWS && share > QUIET_SHARE) {
      double before = seconds(compiler.seconds());
      load.run(window);
      share = (seconds(compiler.seconds()) - before) / (window.toMillis() / 1e3);
      windows++;
    }
    return new Settling(window.multipliedBy(windows), share);
  }

  /** Returns the CPU time of a JVM's optimising compiler, whose name the kernel cuts. */
  static CpuClock compilerOf(long pid) {
    ProcFs proc = ProcFs.system();
    return () -> proc.threadCpuSeconds(pid, "C2 CompilerThre");
  }

  String how() {
    return String.format(
        Locale.ROOT,
        "warmed up for %d s, in the last of them %.1f %% of a core went to the JIT compiler",
        warmup.toSeconds(),
        share * 100);
  }

  private static double seconds(OptionalDouble cpu) {
    return cpu.orElseThrow(
        () -> new CannotMeasureException("the threads' CPU time cannot be read from /proc"));
  }
}
