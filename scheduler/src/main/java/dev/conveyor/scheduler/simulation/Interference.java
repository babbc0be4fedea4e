package dev.conveyor.scheduler.simulation;

/**
 * What batches on one device do to each other: how many times as long the work of one takes while
 * others run beside it. What several add, adds up.
 *
 * <p>Immutable.
 */
final class Interference {

  /** By model and model beside it: what that adds to the time, in times the time alone. */
  private final double[][] added;

  Interference(Scenario scenario) {
    int models = scenario.stretches().isEmpty() ? 0 : scenario.models().size();
    this.added = new double[models][models];
    for (Scenario.Stretch stretch : scenario.stretches()) {
      added[stretch.model()][stretch.beside()] = stretch.times() - 1;
      added[stretch.beside()][stretch.model()] = stretch.times() - 1;
    }
  }

  /** Returns true if nothing ever takes longer for what runs beside it. */
  boolean isNone() {
    return added.length == 0;
  }

  /** Returns how many times as long a run takes beside those of {@code all} on its device. */
  double stretch(Run run, Run[] all) {
    double stretch = 1;
    for (Run other : all) {
      if (other != run && other.device == run.device) {
        stretch += added[run.model][other.model];
      }
    }
    return stretch;
  }
}
