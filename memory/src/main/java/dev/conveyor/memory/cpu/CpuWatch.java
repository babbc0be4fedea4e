package dev.conveyor.memory.cpu;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.OptionalDouble;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;

/**
 * Asks the system once a second how the CPU is and keeps the answer. Thread-safe: a thread of its
 * own asks, because that reads files; whoever shows figures reads the last.
 */
public final class CpuWatch implements AutoCloseable {

  private final CpuThermometers thermometers;
  private final PowerMeter power;
  private final DoubleSupplier load;
  private final LongSupplier nanoTime;
  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(CpuWatch::daemon);
  private volatile CpuFigures latest = CpuFigures.NONE;

  /** Creates a watch of this machine, which looks for its sensors: not on event loops. */
  public CpuWatch() {
    this(Path.of("/sys"), CpuWatch::load, System::nanoTime);
  }

  /**
   * Creates a watch of another machine.
   *
   * @param load share of all cores' time that was used since it was asked before; below 0 if it is
   *     not known
   */
  CpuWatch(Path sys, DoubleSupplier load, LongSupplier nanoTime) {
    this.thermometers = CpuThermometers.find(sys);
    this.power = new PowerMeter(sys);
    this.load = load;
    this.nanoTime = nanoTime;
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "cpu-watch");
    thread.setDaemon(true);
    return thread;
  }

  private static double load() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean os
        ? os.getCpuLoad()
        : -1;
  }

  /** Returns what the last look found; nothing before the first. */
  public CpuFigures latest() {
    return latest;
  }

  /** Starts the thread; the first figures are there after a second. */
  public void start() {
    var unused = thread.scheduleWithFixedDelay(this::look, 1, 1, TimeUnit.SECONDS);
  }

  void look() {
    double used = load.getAsDouble();
    latest =
        new CpuFigures(
            used >= 0 ? OptionalDouble.of(Math.min(1, used)) : OptionalDouble.empty(),
            thermometers.celsius(),
            power.watts(nanoTime.getAsLong()));
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
