package dev.conveyor.models.onnx;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import org.bytedeco.onnxruntime.RunOptions;

/**
 * The options of runs that only enqueue. Thread-confined, but for {@link #cancel}.
 *
 * <p>Operators leave pinned memory to be given back at the end of a run, which a run that does not
 * synchronise leaves out: without one that does now and then it would grow until the session is
 * closed.
 */
final class EnqueuedRuns implements AutoCloseable {

  /** Of so many runs, one waits for the device. */
  static final int SYNCHRONISED_EVERY = 256;

  static final String ASYNCHRONOUS = "disable_synchronize_execution_providers";

  private final RunOptions enqueueing = new RunOptions();
  private final RunOptions synchronising = new RunOptions();
  private int runs;

  @GuardedBy("this")
  private boolean closed;

  EnqueuedRuns() {
    enqueueing.AddConfigEntry(ASYNCHRONOUS, "1");
  }

  /** Returns the options of the next run. */
  RunOptions next() {
    runs = (runs + 1) % SYNCHRONISED_EVERY;
    return runs == 0 ? synchronising : enqueueing;
  }

  /** Has the arena give back from now on what a run has taken. */
  void shrinkArena(int device) {
    String arena = "gpu:" + device;
    enqueueing.AddConfigEntry("memory.enable_memory_arena_shrinkage", arena);
    synchronising.AddConfigEntry("memory.enable_memory_arena_shrinkage", arena);
  }

  /** Ends the run that is under way before its next operator, and later ones. From any thread. */
  synchronized void cancel() {
    if (!closed) {
      enqueueing.SetTerminate();
      synchronising.SetTerminate();
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    enqueueing.close();
    synchronising.close();
  }
}
