package dev.conveyor.memory.cuda;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Asks NVML once a second how the GPUs are and keeps the answer. Thread-safe: a thread of its own
 * asks, because a driver in trouble answers late or never; whoever shows figures reads the last.
 */
public final class GpuWatch implements AutoCloseable {

  private static final long PERIOD_MS = 1000;

  private final Gpus gpus;
  private final Thread thread;
  private volatile Map<Gpu, GpuFigures> latest = Map.of();
  private volatile boolean closed;

  /** Starts the thread, unless there is nothing to ask. */
  public GpuWatch(Gpus gpus) {
    this.gpus = gpus;
    this.thread = new Thread(this::run, "gpu-watch");
    thread.setDaemon(true);
    if (gpus.nvml() != null && !gpus.usable().isEmpty()) {
      look();
      thread.start();
    }
  }

  /** Returns the figures of those devices that NVML tells of; empty without it. */
  public Map<Gpu, GpuFigures> latest() {
    return latest;
  }

  private void run() {
    while (!closed) {
      try {
        Thread.sleep(PERIOD_MS);
      } catch (InterruptedException e) {
        return;
      }
      look();
    }
  }

  private void look() {
    @Nullable Nvml nvml = gpus.nvml();
    if (nvml == null) {
      return;
    }
    Map<Gpu, GpuFigures> figures =
        new TreeMap<>((a, b) -> Integer.compare(a.ordinal(), b.ordinal()));
    for (Gpu gpu : gpus.usable()) {
      nvml.figures(gpu.uuid()).ifPresent(now -> figures.put(gpu, now));
    }
    latest = figures;
  }

  @Override
  public void close() {
    closed = true;
    thread.interrupt();
  }
}
