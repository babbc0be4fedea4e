package dev.conveyor.scheduler.simulation;

import static java.util.Comparator.reverseOrder;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The beginnings and ends of the faults, in order; at equal times ends come first.
 *
 * <p>Not thread-safe: owned by the {@link Simulator}.
 */
final class FaultClock {

  /** A fault begins or ends. */
  record Moment(Scenario.Fault fault, long atNs, boolean isEnd) {}

  private final List<Moment> moments = new ArrayList<>();
  private int next;

  FaultClock(List<Scenario.Fault> faults) {
    for (Scenario.Fault fault : faults) {
      moments.add(new Moment(fault, fault.atNs(), false));
      moments.add(new Moment(fault, fault.atNs() + fault.forNs(), true));
    }
    moments.sort(
        Comparator.comparingLong(Moment::atNs).thenComparing(Moment::isEnd, reverseOrder()));
  }

  /** Returns when the next moment is, or {@link Policy#NEVER}. */
  long nextNs() {
    return next < moments.size() ? moments.get(next).atNs() : Policy.NEVER;
  }

  Moment take() {
    return moments.get(next++);
  }
}
