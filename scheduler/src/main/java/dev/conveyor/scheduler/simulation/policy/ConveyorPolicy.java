package dev.conveyor.scheduler.simulation.policy;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.Assignment;
import dev.conveyor.scheduler.BatchOutcome;
import dev.conveyor.scheduler.DeviceSpec;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InstanceRef;
import dev.conveyor.scheduler.ModelPlan;
import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.scheduler.Scheduler;
import dev.conveyor.scheduler.SchedulerCommand;
import dev.conveyor.scheduler.batching.Rejection;
import dev.conveyor.scheduler.profile.CostSample;
import dev.conveyor.scheduler.simulation.ConveyorNames;
import dev.conveyor.scheduler.simulation.Policy;
import dev.conveyor.scheduler.simulation.Run;
import dev.conveyor.scheduler.simulation.Scenario;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The production core: {@link Scheduler}, through what its actor calls.
 *
 * <p>Not thread-safe: made for one run. Nothing is told to the core that the server does not know:
 * costs are learned from a warm-up and from outcomes.
 */
public final class ConveyorPolicy implements Policy {

  private static final double PERCENTILE = 99;
  private static final int WARM_UP_RUNS = 3;

  /** Where an instance is, and what it runs, by index. */
  private record Place(int device, int model) {}

  private final Scenario scenario;
  private final Scheduler core;

  /** By the object that came in: comparing the names costs more than deciding. */
  private final IdentityHashMap<InstanceRef, Place> places = new IdentityHashMap<>();

  private final Map<String, Integer> modelByName = new HashMap<>();
  private final List<List<InstanceRef>> instancesOn = new ArrayList<>();
  private final List<ModelPlan> plans = new ArrayList<>();
  private final int[] nextIndex;
  private final boolean[] down;

  public ConveyorPolicy(Scenario scenario) {
    this(scenario, DynamicBatching.DEFAULT);
  }

  /** Has the core batch the requests of every model in this way. */
  public ConveyorPolicy(Scenario scenario, DynamicBatching batching) {
    this.scenario = scenario;
    this.nextIndex = new int[scenario.models().size()];
    this.down = new boolean[scenario.devices().size()];
    List<DeviceSpec> specs = new ArrayList<>();
    for (Scenario.Device device : scenario.devices()) {
      specs.add(DeviceSpec.gpu(device.name(), device.slots()));
      instancesOn.add(new ArrayList<>());
    }
    core = new Scheduler(specs);
    for (Scenario.Model model : scenario.models()) {
      int index = modelByName.size();
      modelByName.put(model.name(), index);
      add(index, batching);
    }
  }

  private void add(int which, DynamicBatching batching) {
    Scenario.Model model = scenario.models().get(which);
    ModelPlan plan =
        new ModelPlan(
            model.name(),
            ConveyorNames.VERSION,
            model.cost().maxBatchSize(),
            Optional.of(batching),
            model.weight(),
            0,
            Admission.DEFAULT,
            new ServiceLevel(
                Duration.ofNanos(model.objectiveNs()),
                PERCENTILE,
                ServiceLevel.PriorityClass.STANDARD,
                Duration.ZERO));
    core.addModel(plan, 0);
    plans.add(plan);
    for (int device : model.devices()) {
      place(which, device, 0);
    }
  }

  /** Has a device hold a model from now on; one that is down runs it when it is up again. */
  void place(int which, int device, long nowNs) {
    Scenario.Model model = scenario.models().get(which);
    Scenario.Device on = scenario.devices().get(device);
    String key = plans.get(which).key();
    core.seedProfile(
        new SchedulerCommand.SeedProfile(
            key, on.name(), ModelProfile.Seed.WARM_UP, warmUp(model, on.speed())));
    for (int slot = 0; slot < on.slots(); slot++) {
      InstanceRef ref = new InstanceRef(key, nextIndex[which]++, on.name(), 1);
      instancesOn.get(device).add(ref);
      places.put(ref, new Place(device, which));
      if (!down[device]) {
        core.addInstance(ref, nowNs);
      }
    }
  }

  /** Has a model leave a device; what runs there may end. */
  void unplace(int which, int device, long nowNs) {
    String key = plans.get(which).key();
    List<InstanceRef> there = instancesOn.get(device);
    for (InstanceRef ref : List.copyOf(there)) {
      if (ref.key().equals(key)) {
        there.remove(ref);
        core.removeInstance(key, ref.index(), nowNs);
      }
    }
  }

  /** Returns what the server measures before a model is ready: a few runs of doubling sizes. */
  private static List<CostSample> warmUp(Scenario.Model model, double speed) {
    List<CostSample> samples = new ArrayList<>();
    int largest = model.cost().maxBatchSize();
    for (int size = 1; size > 0; size = size == largest ? 0 : Math.min(largest, 2 * size)) {
      CostSample sample = new CostSample(size, Math.round(model.cost().ns(size) / speed));
      samples.addAll(Collections.nCopies(WARM_UP_RUNS, sample));
    }
    return samples;
  }

  @Override
  public void arrive(int model, InferenceRequest request, long nowNs, Machine machine) {
    InferenceException refusal = core.submit(request, nowNs);
    if (refusal != null) {
      machine.refuse(model, request);
    }
  }

  @Override
  public void decide(long nowNs, Machine machine) {
    Assignment next = core.poll(nowNs);
    while (next != null) {
      Place place = find(places, next.instance());
      machine.start(place.device(), place.model(), next.batch().requests(), next);
      next = core.poll(nowNs);
    }
    List<Rejection> rejected = core.takeRejected();
    for (int i = 0; i < rejected.size(); i++) {
      InferenceRequest request = rejected.get(i).request();
      machine.refuse(find(modelByName, request.model()), request);
    }
    core.publishLoads(nowNs); // as the server does at the end of every turn
  }

  private static <K, V> V find(Map<K, V> all, K key) {
    V value = all.get(key);
    if (value == null) {
      throw new IllegalStateException("unknown " + key);
    }
    return value;
  }

  @Override
  public void finished(Run run, long busyNs, long nowNs) {
    core.onOutcome(
        (Assignment) run.token(),
        new BatchOutcome(true, run.requests().size(), nowNs - busyNs, 0, busyNs, 0, nowNs),
        nowNs);
  }

  @Override
  public void lost(Run run, long nowNs) {
    core.onLost((Assignment) run.token(), nowNs);
  }

  @Override
  public void deviceDown(int device, long nowNs) {
    down[device] = true;
    instancesOn.get(device).forEach(ref -> core.removeInstance(ref.key(), ref.index(), nowNs));
  }

  @Override
  public void deviceUp(int device, long nowNs) {
    down[device] = false;
    instancesOn.get(device).forEach(ref -> core.addInstance(ref, nowNs));
  }

  @Override
  public long wakeUpAtNs(long nowNs) {
    long untilNs = core.wakeUpInNs(nowNs);
    return untilNs == Scheduler.NEVER ? NEVER : nowNs + untilNs;
  }
}
