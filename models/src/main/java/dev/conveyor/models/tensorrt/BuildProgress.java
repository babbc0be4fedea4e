package dev.conveyor.models.tensorrt;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Turns what TensorRT's builder tells of its phases into a few lines, and tells it to stop.
 *
 * <p>Thread-safe: the builder calls from threads of its own. Phases lie within each other; a line
 * is said when a quarter more of one that lies in no other is done.
 */
final class BuildProgress {

  private static final int PARTS = 4;

  private final Consumer<String> lines;
  private final BooleanSupplier unwanted;

  @GuardedBy("this")
  private final Map<String, Phase> phases = new HashMap<>();

  /**
   * Begins.
   *
   * @param lines is told each line, on a thread of the builder
   * @param unwanted whether nobody wants the engine any more; asked after every step
   */
  BuildProgress(Consumer<String> lines, BooleanSupplier unwanted) {
    this.lines = lines;
    this.unwanted = unwanted;
  }

  private static final class Phase {
    final int steps;
    int saidParts;

    Phase(int steps) {
      this.steps = steps;
    }
  }

  /**
   * A phase begins.
   *
   * @param parent the phase that it lies in; null if in none
   */
  synchronized void begin(String phase, @Nullable String parent, int steps) {
    if (parent == null) {
      phases.put(phase, new Phase(steps));
      lines.accept("%s: %d steps".formatted(phase, steps));
    }
  }

  /** A step of a phase, from 0, is done. Returns whether the builder is to go on. */
  boolean step(String phase, int step) {
    tell(phase, step + 1);
    return !unwanted.getAsBoolean();
  }

  private synchronized void tell(String phase, int done) {
    Phase known = phases.get(phase);
    if (known != null && known.steps > 0) {
      int parts = (int) ((long) PARTS * done / known.steps);
      if (parts > known.saidParts && parts < PARTS) {
        known.saidParts = parts;
        lines.accept("%s: %d of %d".formatted(phase, done, known.steps));
      }
    }
  }

  /** A phase is over, also if it was not completed. */
  synchronized void end(String phase) {
    if (phases.remove(phase) != null) {
      lines.accept(phase + ": done");
    }
  }
}
