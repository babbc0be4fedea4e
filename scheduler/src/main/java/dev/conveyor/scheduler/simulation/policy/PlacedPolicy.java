package dev.conveyor.scheduler.simulation.policy;

import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.placement.ArrivalRate;
import dev.conveyor.scheduler.placement.FleetDevice;
import dev.conveyor.scheduler.placement.Layout;
import dev.conveyor.scheduler.placement.ModelNeed;
import dev.conveyor.scheduler.placement.PlacementStep;
import dev.conveyor.scheduler.simulation.Policy;
import dev.conveyor.scheduler.simulation.Run;
import dev.conveyor.scheduler.simulation.Scenario;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.function.Function;

/**
 * The production core, whose models move between devices as a rule says.
 *
 * <p>Not thread-safe: made for one run. Begins where the scenario puts the models. The rates are
 * counted; the costs are the true ones, and a device that loads serves others as before.
 */
final class PlacedPolicy implements Policy {

  private static final String KIND = "simulated";
  private static final long EPOCH_NS = 5_000_000_000L;

  /** A load under way. */
  private record Load(long endNs, int model, int device) {}

  private final Scenario scenario;
  private final ConveyorPolicy core;
  private final PlacementRule rule;
  private final long[] arrived;
  private final List<ArrivalRate> rates = new ArrayList<>();
  private final PriorityQueue<Load> loads =
      new PriorityQueue<>(Comparator.comparingLong(Load::endNs));
  private Layout layout;
  private long epochNs = EPOCH_NS;
  private long begun;

  PlacedPolicy(Scenario scenario, Function<List<FleetDevice>, PlacementRule> rule) {
    this.scenario = scenario;
    this.core = new ConveyorPolicy(scenario);
    this.arrived = new long[scenario.models().size()];
    this.layout = Layout.of(scenario.models().stream().map(Scenario.Model::devices).toList());
    for (int m = 0; m < arrived.length; m++) {
      rates.add(new ArrivalRate());
    }
    this.rule =
        rule.apply(
            scenario.devices().stream()
                .map(d -> new FleetDevice(d.name(), KIND, d.memoryBytes(), d.speed(), d.slots()))
                .toList());
  }

  @Override
  public void arrive(int model, InferenceRequest request, long nowNs, Machine machine) {
    arrived[model]++;
    core.arrive(model, request, nowNs, machine);
  }

  @Override
  public void decide(long nowNs, Machine machine) {
    for (Load load = loads.peek(); load != null && load.endNs <= nowNs; load = loads.peek()) {
      loads.remove();
      core.place(load.model, load.device, nowNs);
    }
    if (nowNs >= epochNs) {
      List<ModelNeed> models = needs();
      if (loads.isEmpty()) {
        rule.decide(models, layout, nowNs).forEach(step -> begin(step, nowNs));
      }
      epochNs += EPOCH_NS;
    }
    core.decide(nowNs, machine);
  }

  private List<ModelNeed> needs() {
    List<ModelNeed> needs = new ArrayList<>();
    for (int m = 0; m < arrived.length; m++) {
      Scenario.Model model = scenario.models().get(m);
      rates.get(m).onWindow((double) arrived[m], EPOCH_NS / 1e9);
      arrived[m] = 0;
      needs.add(
          new ModelNeed(
              model.name(),
              model.bytes(),
              model.loadNs(),
              model.cost().maxBatchSize(),
              model.objectiveNs(),
              rates.get(m).perSecond(),
              false,
              1,
              scenario.devices().size(),
              Map.of(KIND, items -> model.cost().ns(items))));
    }
    return needs;
  }

  /** Loads onto one device go one after the other, those onto several at once. */
  private void begin(PlacementStep step, long nowNs) {
    step.leaving().forEach(model -> core.unplace(model, step.device(), nowNs));
    layout = step.applyTo(layout);
    begun++;
    long startNs = nowNs;
    for (Load load : loads) {
      startNs = load.device == step.device() ? Math.max(startNs, load.endNs) : startNs;
    }
    long tookNs = scenario.models().get(step.model()).loadNs();
    loads.add(new Load(startNs + tookNs, step.model(), step.device()));
  }

  @Override
  public void finished(Run run, long busyNs, long nowNs) {
    core.finished(run, busyNs, nowNs);
  }

  @Override
  public void lost(Run run, long nowNs) {
    core.lost(run, nowNs);
  }

  @Override
  public void deviceDown(int device, long nowNs) {
    core.deviceDown(device, nowNs);
  }

  @Override
  public void deviceUp(int device, long nowNs) {
    core.deviceUp(device, nowNs);
  }

  @Override
  public long loads() {
    return begun;
  }

  @Override
  public long wakeUpAtNs(long nowNs) {
    Load next = loads.peek();
    long loadNs = next == null ? NEVER : next.endNs;
    return Math.min(core.wakeUpAtNs(nowNs), Math.min(epochNs, loadNs));
  }
}
