package dev.conveyor.models.tune;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** The settings that no other beats in both throughput and latency. Stateless. */
public final class ParetoFront {

  private ParetoFront() {}

  /** Returns the sound runs that are on the front, by rising latency and so rising throughput. */
  public static List<Measurement> of(List<Measurement> runs) {
    List<Measurement> byLatency = new ArrayList<>(runs);
    byLatency.removeIf(run -> !run.isSound());
    byLatency.sort(
        Comparator.comparingDouble(Measurement::p99Ns)
            .thenComparing(Comparator.comparingDouble(Measurement::perSecond).reversed()));
    List<Measurement> front = new ArrayList<>();
    double most = 0;
    for (Measurement run : byLatency) {
      if (run.perSecond() > most) {
        most = run.perSecond();
        front.add(run);
      }
    }
    return front;
  }
}
