package dev.conveyor.scheduler.simulation.policy;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.scheduler.Assignment;
import dev.conveyor.scheduler.BatchOutcome;
import dev.conveyor.scheduler.DeviceSpec;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InstanceRef;
import dev.conveyor.scheduler.ModelPlan;
import dev.conveyor.scheduler.Scheduler;
import dev.conveyor.scheduler.batching.Rejection;
import dev.conveyor.scheduler.simulation.ConveyorNames;
import dev.conveyor.scheduler.simulation.Policy;
import dev.conveyor.scheduler.simulation.Run;
import dev.conveyor.scheduler.simulation.Scenario;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The production core: {@link Scheduler}, through what its actor calls.
 *
 * <p>Not thread-safe: made for one run. Nothing is told to the core that the server does not know:
 * costs are learned from outcomes.
 */
public final class ConveyorPolicy implements Policy {

  private final Scheduler core;
  private final Map<String, Integer> deviceByName = new HashMap<>();
  private final Map<String, Integer> modelByName = new HashMap<>();
  private final List<List<InstanceRef>> instancesOn = new ArrayList<>();

  public ConveyorPolicy(Scenario scenario) {
    List<DeviceSpec> specs = new ArrayList<>();
    for (Scenario.Device device : scenario.devices()) {
      deviceByName.put(device.name(), specs.size());
      specs.add(DeviceSpec.gpu(device.name(), device.slots()));
      instancesOn.add(new ArrayList<>());
    }
    core = new Scheduler(specs);
    for (Scenario.Model model : scenario.models()) {
      modelByName.put(model.name(), modelByName.size());
      add(scenario, model);
    }
  }

  private void add(Scenario scenario, Scenario.Model model) {
    ModelPlan plan =
        new ModelPlan(
            model.name(),
            ConveyorNames.VERSION,
            model.cost().maxBatchSize(),
            Optional.of(DynamicBatching.DEFAULT),
            model.weight(),
            0);
    core.addModel(plan, 0);
    int index = 0;
    for (int device : model.devices()) {
      for (int slot = 0; slot < scenario.devices().get(device).slots(); slot++) {
        InstanceRef ref =
            new InstanceRef(plan.key(), index++, scenario.devices().get(device).name(), 1);
        instancesOn.get(device).add(ref);
        core.addInstance(ref, 0);
      }
    }
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
      List<InferenceRequest> requests = next.batch().requests();
      machine.start(
          find(deviceByName, next.instance().device()),
          find(modelByName, requests.get(0).model()),
          requests,
          next);
      next = core.poll(nowNs);
    }
    List<Rejection> rejected = core.takeRejected();
    for (int i = 0; i < rejected.size(); i++) {
      InferenceRequest request = rejected.get(i).request();
      machine.refuse(find(modelByName, request.model()), request);
    }
  }

  private static int find(Map<String, Integer> indexByName, String name) {
    Integer index = indexByName.get(name);
    if (index == null) {
      throw new IllegalStateException("unknown " + name);
    }
    return index;
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
    instancesOn.get(device).forEach(ref -> core.removeInstance(ref.key(), ref.index()));
  }

  @Override
  public void deviceUp(int device, long nowNs) {
    instancesOn.get(device).forEach(ref -> core.addInstance(ref, nowNs));
  }

  @Override
  public long wakeUpAtNs(long nowNs) {
    long untilNs = core.wakeUpInNs(nowNs);
    return untilNs == Scheduler.NEVER ? NEVER : nowNs + untilNs;
  }
}
