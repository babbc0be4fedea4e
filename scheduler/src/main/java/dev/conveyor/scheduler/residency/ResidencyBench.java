package dev.conveyor.scheduler.residency;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Replays traces through {@link ResidencyTable} and compares what it loads with the {@link
 * OfflineOracle}. Deterministic; takes about a second for a trace of 60,000 requests.
 */
public final class ResidencyBench {

  /** The load of the figure: 200 models, Zipf, sizes that differ as those of real models do. */
  public static final ResidencyTrace.Shape ZIPF =
      new ResidencyTrace.Shape(200, 60_000, 1.0, 1, 1, 0);

  /** So many models of mean size fit. */
  public static final int BUDGET_MODELS = 20;

  /**
   * What a policy did with a trace.
   *
   * @param loads models loaded
   * @param loadedBytes their sizes, the cost of the misses
   * @param optimumBytes what no schedule can do without
   * @param wholeModelBytes what the best known schedule of whole models loads
   */
  public record Result(
      String trace,
      String policy,
      long loads,
      long loadedBytes,
      long optimumBytes,
      long wholeModelBytes) {

    /** Returns the cost over that of the lower bound, at least 1. */
    public double overOptimum() {
      return loadedBytes / (double) optimumBytes;
    }

    /** Returns the cost over that of the best known schedule of whole models. */
    public double overWholeModels() {
      return loadedBytes / (double) wholeModelBytes;
    }
  }

  private ResidencyBench() {}

  /** Returns the traces of the comparison: steady and bursty, equal and different sizes. */
  public static List<ResidencyTrace> traces(long seed) {
    return List.of(
        ZIPF.generate("zipf 1.0, sizes differ", seed),
        new ResidencyTrace.Shape(200, 60_000, 1.1, 1, 1, 0)
            .generate("zipf 1.1, sizes differ", seed),
        new ResidencyTrace.Shape(200, 60_000, 1.0, 1, 0, 0).generate("zipf 1.0, equal sizes", seed),
        new ResidencyTrace.Shape(200, 60_000, 1.1, 2, 1, 0.8)
            .generate("zipf 1.1, bursts, swings, sizes differ", seed),
        new ResidencyTrace.Shape(200, 60_000, 1.1, 4, 0, 0.8)
            .generate("zipf 1.1, long bursts, swings, equal sizes", seed));
  }

  /** Returns the results of every policy on every trace. */
  public static List<Result> all(long seed) {
    List<Result> results = new ArrayList<>();
    for (ResidencyTrace trace : traces(seed)) {
      results.add(run(trace, "forecast", RequestForecast::new));
      results.add(run(trace, "rates known", () -> new KnownRates(trace)));
      results.add(run(trace, "GDSF", GreedyDualSizeFrequency::new));
      results.add(run(trace, "LRU", LeastRecentlyUsed::new));
    }
    return results;
  }

  /** Replays one trace. */
  public static Result run(ResidencyTrace trace, String name, Supplier<EvictionPolicy> policy) {
    long budget = trace.budgetBytes(BUDGET_MODELS);
    ResidencyTable table = new ResidencyTable(policy.get());
    List<String> names = new ArrayList<>();
    for (int m = 0; m < trace.bytes().size(); m++) {
      names.add("m" + m);
      table.register(names.get(m), trace.bytes().get(m));
    }
    boolean[] held = new boolean[names.size()];
    long free = budget;
    long loads = 0;
    long loaded = 0;
    for (int i = 0; i < trace.models().size(); i++) {
      int model = trace.models().get(i);
      String wanted = names.get(model);
      table.onRequests(wanted, 1);
      if (held[model]) {
        continue;
      }
      long bytes = trace.bytes().get(model);
      // A byte costs a nanosecond, and requests are so far apart that no model is ever too young.
      long now = i * 1_000_000_000_000L;
      if (!(table.room(wanted, bytes, free, busy -> false, now) instanceof Room.Evict room)) {
        throw new IllegalStateException("a model does not fit into an empty memory");
      }
      for (String victim : room.victims()) {
        table.onLeaving(victim);
        table.onGone(victim);
        int gone = Integer.parseInt(victim.substring(1));
        held[gone] = false;
        free += trace.bytes().get(gone);
      }
      table.onQueued(wanted, now);
      table.onLoaded(wanted, bytes, bytes, now);
      held[model] = true;
      free -= bytes;
      loads++;
      loaded += bytes;
    }
    return new Result(
        trace.name(),
        name,
        loads,
        loaded,
        OfflineOracle.optimumBytes(trace, budget),
        OfflineOracle.wholeModelBytes(trace, budget));
  }

  /** Is told how often each model is asked for in the whole trace: the most to be learned. */
  private static final class KnownRates implements EvictionPolicy {

    private final Map<String, Long> counts = new HashMap<>();

    KnownRates(ResidencyTrace trace) {
      trace.models().forEach(model -> counts.merge("m" + model, 1L, Long::sum));
    }

    @Override
    public void onRequests(String model, long count) {}

    @Override
    public double value(String model, double costPerByte) {
      return counts.getOrDefault(model, 0L) * costPerByte;
    }

    @Override
    public void onEvicted(String model, double value) {}

    @Override
    public void forget(String model) {}
  }

  /** Prints the comparison as a table. */
  public static void main(String[] arguments) {
    System.out.printf(
        "%-45s %-11s %7s %9s %12s%n", "trace", "policy", "loads", "/optimum", "/whole models");
    for (Result result : all(arguments.length == 0 ? 1 : Long.parseLong(arguments[0]))) {
      System.out.printf(
          "%-45s %-11s %7d %9.3f %12.3f%n",
          result.trace(),
          result.policy(),
          result.loads(),
          result.overOptimum(),
          result.overWholeModels());
    }
  }
}
