package dev.conveyor.models.tune;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Finds the best of many settings in few runs: the settings that the prior thinks best are run for
 * a short time, the better half of them for twice as long, and so on; runs that are left go to the
 * winner's neighbours, which differ from it in one value; then the winner meets the settings as
 * they were in a last pair of runs.
 *
 * <p>Successive halving (Jamieson, Talwalkar: "Non-stochastic Best Arm Identification and
 * Hyperparameter Optimization", AISTATS 2016), with the first round filled by the prior instead of
 * by chance. The prior's favourite of every version and provider is among them, since costs of
 * different kernels are what a prior knows least about.
 *
 * <p>Not thread-safe: owned by the thread that searches, which it blocks.
 */
public final class SuccessiveHalving {

  public static final int FEWEST_RUNS = 4;
  private static final int FINAL_RUNS = 2;

  private final Objective objective;
  private final Meter meter;
  private final Duration shortest;
  private final Consumer<Measurement> progress;
  private final Map<Setting, Measurement> last = new LinkedHashMap<>();
  private final Map<Setting, List<Measurement>> all = new HashMap<>();
  private int runs;

  /**
   * Prepares a search.
   *
   * @param shortest length of the runs of the first round; doubles from round to round
   * @param progress told of every run
   */
  public SuccessiveHalving(
      Objective objective, Meter meter, Duration shortest, Consumer<Measurement> progress) {
    this.objective = objective;
    this.meter = meter;
    this.shortest = shortest;
    this.progress = progress;
  }

  /**
   * Searches.
   *
   * @param baseline the settings as they are; need not be among the others
   * @param maxRuns most runs to make, {@value #FEWEST_RUNS} or more
   * @throws Exception what the meter throws
   */
  public TuneResult search(List<Setting> settings, Setting baseline, Prior prior, int maxRuns)
      throws Exception {
    if (maxRuns < FEWEST_RUNS) {
      throw new IllegalArgumentException(
          "runs: expected %d or more, found %d".formatted(FEWEST_RUNS, maxRuns));
    }
    List<Setting> alive = favourites(settings, prior, firstRound(settings.size(), maxRuns));
    Duration length = shortest;
    while (true) {
      for (Setting setting : alive) {
        measure(setting, length);
      }
      alive.sort(Comparator.comparingDouble(this::worth).reversed());
      if (alive.size() <= 2) {
        break;
      }
      alive = new ArrayList<>(alive.subList(0, half(alive.size())));
      length = length.multipliedBy(2);
    }
    Setting winner = climb(alive.get(0), settings, prior, length, maxRuns - FINAL_RUNS);
    Measurement before = measure(baseline, length);
    Measurement best = winner.equals(baseline) ? before : measure(winner, length);
    List<Measurement> tries = all.getOrDefault(winner, List.of());
    boolean heldBefore =
        tries.stream().limit(Math.max(0, tries.size() - 1L)).anyMatch(objective::holds);
    return new TuneResult(
        best, heldBefore, before, List.copyOf(last.values()), runs, settings.size());
  }

  /** Moves to better neighbours while there are runs, the prior's favourite first. */
  private Setting climb(
      Setting from, List<Setting> settings, Prior prior, Duration length, int untilRuns)
      throws Exception {
    Setting winner = from;
    while (runs < untilRuns) {
      Setting here = winner;
      Optional<Setting> next =
          settings.stream()
              .filter(setting -> !last.containsKey(setting) && setting.distance(here) == 1)
              .max(Comparator.comparingDouble(prior::worth));
      if (next.isEmpty()) {
        break;
      }
      measure(next.get(), length);
      if (worth(next.get()) > worth(winner)) {
        winner = next.get();
      }
    }
    return winner;
  }

  /** Returns how many settings the first round can have, so that all rounds fit in the runs. */
  static int firstRound(int settings, int maxRuns) {
    int first = 1;
    while (first < settings && runsFrom(first + 1) + FINAL_RUNS <= maxRuns) {
      first++;
    }
    return first;
  }

  private static int runsFrom(int first) {
    int sum = first;
    for (int alive = first; alive > 2; ) {
      alive = half(alive);
      sum += alive;
    }
    return sum;
  }

  private static int half(int alive) {
    return (alive + 1) / 2;
  }

  /** Returns the settings that the prior likes most, with one of every version and provider. */
  private static List<Setting> favourites(List<Setting> settings, Prior prior, int count) {
    Map<Setting, Double> worth = new LinkedHashMap<>();
    settings.forEach(setting -> worth.put(setting, prior.worth(setting)));
    List<Setting> ranked = new ArrayList<>(worth.keySet());
    ranked.sort(Comparator.comparingDouble((Setting s) -> worth.getOrDefault(s, 0.0)).reversed());
    Set<Setting> chosen = new LinkedHashSet<>();
    Set<String> kernels = new LinkedHashSet<>();
    for (Setting setting : ranked) {
      if (chosen.size() < count && kernels.add(setting.version() + " " + setting.provider())) {
        chosen.add(setting);
      }
    }
    for (Setting setting : ranked) {
      if (chosen.size() < count) {
        chosen.add(setting);
      }
    }
    return new ArrayList<>(chosen);
  }

  /** Returns the mean over a setting's runs by their length, while the last meets the objective. */
  private double worth(Setting setting) {
    Measurement run = last.get(setting);
    if (run == null || !objective.holds(run)) {
      return run == null ? Double.NEGATIVE_INFINITY : objective.worth(run);
    }
    double sum = 0;
    double seconds = 0;
    for (Measurement one : all.getOrDefault(setting, List.of())) {
      if (objective.holds(one)) {
        double length = Math.max(1e-3, one.length().toMillis() / 1e3);
        sum += length * objective.worth(one);
        seconds += length;
      }
    }
    return sum / seconds;
  }

  private Measurement measure(Setting setting, Duration length) throws Exception {
    Measurement run = meter.measure(setting, length);
    runs++;
    last.put(setting, run);
    all.computeIfAbsent(setting, s -> new ArrayList<>()).add(run);
    progress.accept(run);
    return run;
  }
}
