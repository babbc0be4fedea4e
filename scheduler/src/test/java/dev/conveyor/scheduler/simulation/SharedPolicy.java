package dev.conveyor.scheduler.simulation;

import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.simulation.policy.ConveyorPolicy;
import java.time.Duration;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;

/**
 * The production core where every request is of one of a few tenants, and of one of two priority
 * levels. The core sees a copy of the request that says so.
 */
final class SharedPolicy extends ForwardingPolicy {

  private static final int LEVELS = 2;
  private static final int TENANTS = 3;

  private final Random random;
  private final IdentityHashMap<InferenceRequest, InferenceRequest> originals =
      new IdentityHashMap<>();

  SharedPolicy(Scenario scenario) {
    super(
        new ConveyorPolicy(
            scenario,
            new DynamicBatching(
                List.of(), Duration.ZERO, false, LEVELS, LEVELS, QueuePolicy.DEFAULT, Map.of())));
    this.random = new Random(scenario.seed());
  }

  @Override
  public void arrive(int model, InferenceRequest request, long nowNs, Machine machine) {
    InferenceRequest copy =
        InferenceRequest.of(request.model(), request.version(), request.inputs(), request.replyTo())
            .arrivalNs(request.arrivalNs())
            .deadlineNs(request.deadlineNs())
            .priority(1 + random.nextInt(LEVELS))
            .tenant("t" + random.nextInt(TENANTS))
            .build();
    originals.put(copy, request);
    super.arrive(model, copy, nowNs, originals(machine));
  }

  @Override
  public void decide(long nowNs, Machine machine) {
    super.decide(nowNs, originals(machine));
  }

  private Machine originals(Machine machine) {
    return new Machine() {
      @Override
      public void start(int device, int model, List<InferenceRequest> requests, Object token) {
        List<InferenceRequest> began = requests.stream().map(SharedPolicy.this::original).toList();
        machine.start(device, model, began, token);
      }

      @Override
      public void refuse(int model, InferenceRequest request) {
        machine.refuse(model, original(request));
      }
    };
  }

  /** Each is started or refused once. */
  private InferenceRequest original(InferenceRequest copy) {
    return Objects.requireNonNull(originals.remove(copy));
  }
}
