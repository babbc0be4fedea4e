package dev.conveyor.scheduler.decisions;

import java.util.List;

/**
 * Decisions, the latest first. Immutable.
 *
 * @param taken how many decisions there were since the start; older ones are forgotten
 */
public record Decisions(long taken, List<Decision> last) {

  public Decisions {
    last = List.copyOf(last);
  }
}
