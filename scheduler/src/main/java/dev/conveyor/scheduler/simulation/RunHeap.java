package dev.conveyor.scheduler.simulation;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The batches that run, by when they finish; of two that finish together, the one that started
 * first.
 *
 * <p>Not thread-safe: owned by the {@link Simulator}. A binary heap; there are as many entries as
 * slots.
 */
final class RunHeap {

  private @Nullable Run[] runs = new @Nullable Run[16];
  private int size;

  /** Returns when the next finishes, or {@link Policy#NEVER}. */
  long nextNs() {
    Run first = runs[0];
    return size == 0 || first == null ? Policy.NEVER : first.finishNs;
  }

  void add(Run run) {
    if (size == runs.length) {
      runs = Arrays.copyOf(runs, 2 * size);
    }
    int at = size++;
    while (at > 0) {
      Run parent = get((at - 1) >>> 1);
      if (!isBefore(run, parent)) {
        break;
      }
      runs[at] = parent;
      at = (at - 1) >>> 1;
    }
    runs[at] = run;
  }

  Run removeFirst() {
    Run first = get(0);
    Run moved = get(--size);
    runs[size] = null;
    int at = 0;
    while (2 * at + 1 < size) {
      int child = 2 * at + 1;
      if (child + 1 < size && isBefore(get(child + 1), get(child))) {
        child++;
      }
      if (!isBefore(get(child), moved)) {
        break;
      }
      runs[at] = get(child);
      at = child;
    }
    if (size > 0) {
      runs[at] = moved;
    }
    return first;
  }

  /** Takes out everything, in order. */
  Run[] removeAll() {
    Run[] all = new Run[size];
    for (int i = 0; i < all.length; i++) {
      all[i] = removeFirst();
    }
    return all;
  }

  private Run get(int index) {
    Run run = runs[index];
    if (run == null) {
      throw new IllegalStateException("no run at " + index + " of " + size);
    }
    return run;
  }

  private static boolean isBefore(Run one, Run other) {
    return one.finishNs != other.finishNs
        ? one.finishNs < other.finishNs
        : one.startNs < other.startNs;
  }
}
