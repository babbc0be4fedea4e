package dev.conveyor.scheduler.simulation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Which models the requests are for, and how many more come when one becomes popular.
 *
 * <p>Not thread-safe: owned by the {@link Simulator}; times never go back. A change of the total
 * stretches the time of the arrivals, whatever their process is.
 */
final class Popularity {

  /**
   * From one change to the next.
   *
   * @param level of all models together, relative to the beginning
   * @param evenNs when it begins if the level were 1 all the time
   */
  private record Phase(long startNs, double evenNs, double level, AliasTable models) {}

  private final List<Phase> phases = new ArrayList<>();
  private int drawing;
  private int coming;

  Popularity(Scenario scenario) {
    int n = scenario.models().size();
    double[] base = scenario.models().stream().mapToDouble(Scenario.Model::popularity).toArray();
    double[] factor = new double[n];
    Arrays.fill(factor, 1);
    double whole = Arrays.stream(base).sum();
    int shift = 0;
    phases.add(new Phase(0, 0, 1, new AliasTable(base)));
    for (Scenario.Change change : scenario.changes()) {
      if (change instanceof Scenario.Change.Rotation rotation) {
        shift = (int) ((shift + (long) rotation.places()) % n);
      } else if (change instanceof Scenario.Change.Factor one) {
        factor[one.model()] = one.factor();
      }
      double[] now = new double[n];
      double sum = 0;
      for (int m = 0; m < n; m++) {
        now[m] = base[Math.floorMod(m - shift, n)] * factor[m];
        sum += now[m];
      }
      Phase last = phases.get(phases.size() - 1);
      double evenNs = last.evenNs + (change.atNs() - last.startNs) * last.level;
      phases.add(new Phase(change.atNs(), evenNs, sum / whole, new AliasTable(now)));
    }
  }

  /** Returns when a request comes that would come at {@code evenNs} if nothing changed. */
  long timeNs(long evenNs) {
    while (coming + 1 < phases.size() && phases.get(coming + 1).evenNs <= evenNs) {
      coming++;
    }
    Phase phase = phases.get(coming);
    return coming == 0 ? evenNs : phase.startNs + (long) ((evenNs - phase.evenNs) / phase.level);
  }

  /** Draws the model of a request. */
  int draw(long nowNs, SplittableRandom random) {
    while (drawing + 1 < phases.size() && phases.get(drawing + 1).startNs <= nowNs) {
      drawing++;
    }
    return phases.get(drawing).models.draw(random);
  }
}
