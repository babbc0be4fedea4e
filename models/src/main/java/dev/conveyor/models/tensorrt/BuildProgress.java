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
 *
 * <p>A phase belongs to the step of its parent that was under way when it began, and is at most
 * that step, so that a build whose time goes into the phases of a single step is seen to get on.
 * Steps may end out of order, and phases in one step one after another: what a phase has reached it
 * never loses.
 */
final class BuildProgress {

  private static final int PARTS = 4;
  private static final int PERCENT = 100;

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
    final String name;
    final @Nullable Phase parent;
    final int steps;

    /** Of the parent, when this began. */
    final int parentDone;

    int done;

    /** Share of the step under way that is done in phases that lie in it. */
    double within;

    int saidParts;

    Phase(String name, @Nullable Phase parent, int steps) {
      this.name = name;
      this.parent = parent;
      this.steps = steps;
      this.parentDone = parent == null ? 0 : parent.done;
    }

    double share() {
      return steps <= 0 ? 0 : Math.min(1, (done + within) / steps);
    }

    void finish(int steps) {
      if (steps > done) {
        done = steps;
        within = 0;
      }
    }
  }

  /**
   * A phase begins.
   *
   * @param parent the phase that it lies in; null if in none
   */
  synchronized void begin(String phase, @Nullable String parent, int steps) {
    Phase around = parent == null ? null : phases.get(parent);
    if (parent != null && around == null) {
      return; // Its parent is over, and so is what it is a part of.
    }
    phases.put(phase, new Phase(phase, around, steps));
    if (around == null) {
      lines.accept("%s: %d steps".formatted(phase, steps));
    }
  }

  /** A step of a phase, from 0, is done. Returns whether the builder is to go on. */
  boolean step(String phase, int step) {
    tell(phase, step + 1);
    return !unwanted.getAsBoolean();
  }

  private synchronized void tell(String name, int done) {
    Phase phase = phases.get(name);
    if (phase == null) {
      return;
    }
    phase.finish(done);
    for (Phase around = phase.parent; around != null; around = phase.parent) {
      if (around.done == phase.parentDone) {
        around.within = Math.max(around.within, phase.share());
      }
      phase = around;
    }
    int parts = (int) (PARTS * phase.share());
    boolean isUnderWay = phases.containsValue(phase); // what lies in it may end later
    if (isUnderWay && parts > phase.saidParts && parts < PARTS) {
      phase.saidParts = parts;
      lines.accept("%s: %d %%".formatted(phase.name, PERCENT * parts / PARTS));
    }
  }

  /** A phase is over, also if it was not completed. */
  synchronized void end(String name) {
    Phase phase = phases.remove(name);
    if (phase != null && phase.parent == null) {
      lines.accept(name + ": done");
    }
  }
}
