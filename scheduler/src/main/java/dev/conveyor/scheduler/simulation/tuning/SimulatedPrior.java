package dev.conveyor.scheduler.simulation.tuning;

import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.tune.LoadShape;
import dev.conveyor.models.tune.Objective;
import dev.conveyor.models.tune.Prior;
import dev.conveyor.models.tune.Setting;
import dev.conveyor.scheduler.simulation.CostCurve;
import dev.conveyor.scheduler.simulation.GoodputSearch;
import dev.conveyor.scheduler.simulation.Scenario;
import dev.conveyor.scheduler.simulation.policy.ConveyorPolicy;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * Runs the production core under virtual time with the measured costs of a setting's batches: what
 * it keeps up with within the objective is what the setting is expected to be worth.
 *
 * <p>Of a closed load the core would see more than clients can have in flight: it is bounded by
 * what they can have running. Knows nothing of what the server itself takes from the cores.
 *
 * <p>More threads while nothing else wants the cores are expected to gain what they save where one
 * request is in flight at a time, and otherwise a little less than nothing: such settings are not
 * among the first to be tried, but next to one that has won.
 *
 * <p>Immutable.
 */
public final class SimulatedPrior implements Prior {

  /** Requests of one run: enough for a 99th percentile that ranks, few enough for milliseconds. */
  private static final int REQUESTS = 2000;

  private static final double WARM_UP = 0.1;
  private static final double HEADROOM_WORTH = 0.01;
  private static final double IDLE_COSTS = 0.05;
  private static final long SEED = 1;

  private final Map<Kernel, Costs> costs;
  private final Objective objective;
  private final LoadShape load;
  private final int cores;

  /**
   * What executes a batch.
   *
   * @param threads of one execution
   */
  public record Kernel(long version, String provider, int threads) {}

  /**
   * Measured times of single batches.
   *
   * @param sizes ascending
   * @param ns one per size
   */
  public record Costs(List<Integer> sizes, List<Double> ns) {
    public Costs {
      sizes = List.copyOf(sizes);
      ns = List.copyOf(ns);
      if (sizes.isEmpty() || sizes.size() != ns.size()) {
        throw new IllegalArgumentException(
            "costs: expected one time for each of %s, found %s".formatted(sizes, ns));
      }
    }

    CostCurve curve(int maxBatchSize) {
      return CostCurve.through(
          sizes.stream().mapToInt(size -> size).toArray(),
          ns.stream().mapToDouble(cost -> cost).toArray(),
          maxBatchSize);
    }
  }

  /**
   * Creates the prior.
   *
   * @param costs of every kernel that settings use; those of others are worth nothing
   */
  public SimulatedPrior(Map<Kernel, Costs> costs, Objective objective, LoadShape load, int cores) {
    this.costs = Map.copyOf(costs);
    this.objective = objective;
    this.load = load;
    this.cores = cores;
  }

  @Override
  public double worth(Setting setting) {
    if (setting.idleThreads() == 0) {
      return usualWorth(setting);
    }
    boolean isAlone = load instanceof LoadShape.Closed closed && closed.inFlight() == 1;
    Setting usual = setting.withoutIdleThreads();
    double worth =
        isAlone
            ? usualWorth(
                new Setting(
                    1,
                    setting.idleThreads(),
                    setting.maxBatchSize(),
                    setting.maxQueueDelayMicros(),
                    setting.version(),
                    setting.provider()))
            : usualWorth(usual);
    return worth - IDLE_COSTS * Math.abs(worth);
  }

  private double usualWorth(Setting setting) {
    int threads =
        setting.threads() > 0 ? setting.threads() : Math.max(1, cores / setting.instances());
    Costs measured = costs.get(new Kernel(setting.version(), setting.provider(), threads));
    if (measured == null) {
      return Double.NEGATIVE_INFINITY;
    }
    // Batches whose threads do not fit the cores wait for each other.
    int slots = Math.max(1, Math.min(setting.instances(), cores / threads));
    int largest = Math.max(1, setting.maxBatchSize());
    if (load instanceof LoadShape.Closed closed) {
      int running = Math.min(closed.inFlight(), slots);
      int batch = Math.min(largest, Math.max(1, closed.inFlight() / running));
      CostCurve curve = measured.curve(batch);
      // Clients that were answered together do not ask again together: batches wait to be filled.
      double waitNs = batch > 1 ? setting.maxQueueDelayMicros() * 1e3 : 0;
      double bound = running * batch * 1e9 / (curve.ns(batch) + waitNs);
      return Math.min(goodput(setting, curve, slots), bound);
    }
    double rate = ((LoadShape.Open) load).perSecond();
    double goodput = goodput(setting, measured.curve(largest), slots);
    return goodput <= 0
        ? goodput
        : Math.min(goodput, rate) * (1 + HEADROOM_WORTH * goodput / (goodput + rate));
  }

  private double goodput(Setting setting, CostCurve curve, int slots) {
    if (curve.ns(1) > objective.p99Ns()) {
      return -curve.ns(1) / objective.p99Ns();
    }
    double bound = scenario(curve, slots, 1e9).boundPerSecond();
    Scenario scenario = scenario(curve, slots, REQUESTS / bound * 1e9);
    DynamicBatching batching =
        new DynamicBatching(
            List.of(),
            Duration.ofNanos(setting.maxQueueDelayMicros() * 1000),
            false,
            0,
            0,
            QueuePolicy.DEFAULT,
            Map.of());
    return GoodputSearch.find(scenario, s -> new ConveyorPolicy(s, batching));
  }

  private Scenario scenario(CostCurve curve, int slots, double durationNs) {
    return new Scenario(
        "setting",
        "",
        SEED,
        (long) durationNs,
        (long) (durationNs * WARM_UP),
        0,
        List.of(new Scenario.Device("cpu", slots, 1)),
        List.of(new Scenario.Model("model", (long) objective.p99Ns(), 1, 1, curve, 0, List.of(0))),
        new Scenario.Arrivals.Poisson(),
        List.of());
  }
}
