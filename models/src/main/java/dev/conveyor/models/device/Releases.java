package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.CudaException;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * What was taken and is to be given back, the last first. Not thread-safe.
 *
 * <p>All of it is tried, whatever fails. That the device is lost is no failure here: what was on it
 * is gone.
 */
final class Releases implements AutoCloseable {

  private final Deque<Runnable> releases = new ArrayDeque<>();

  void add(Runnable release) {
    releases.push(release);
  }

  @Override
  public void close() {
    RuntimeException first = null;
    for (Runnable release = releases.poll(); release != null; release = releases.poll()) {
      first = earlier(first, failureOf(release));
    }
    if (first != null) {
      throw first;
    }
  }

  /** The same, because of a failure, which hears of what fails here too. */
  void closeAfter(Throwable failure) {
    try {
      close();
    } catch (RuntimeException e) {
      failure.addSuppressed(e);
    }
  }

  private static @Nullable RuntimeException failureOf(Runnable release) {
    try {
      release.run();
      return null;
    } catch (CudaException e) {
      return e.isSticky() ? null : e;
    } catch (RuntimeException e) {
      return e;
    }
  }

  private static @Nullable RuntimeException earlier(
      @Nullable RuntimeException first, @Nullable RuntimeException second) {
    return first == null ? second : first;
  }
}
