package dev.conveyor.scheduler.simulation.policy;

import dev.conveyor.scheduler.simulation.Policy;
import dev.conveyor.scheduler.simulation.Scenario;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The policies by name. Stateless. */
public final class Policies {

  /** Name of the production core. */
  public static final String CONVEYOR = "conveyor";

  /** Name of what Triton does by default. */
  public static final String FIFO = "fifo";

  private static final Map<String, Function<Scenario, Policy>> BY_NAME = byName();
  private static final Map<String, Function<Scenario, Policy>> PLACED = placed();

  private Policies() {}

  private static Map<String, Function<Scenario, Policy>> byName() {
    Map<String, Function<Scenario, Policy>> policies = new LinkedHashMap<>();
    policies.put(CONVEYOR, ConveyorPolicy::new);
    policies.put(FIFO, scenario -> new FifoPolicy(scenario, 0));
    policies.put("fixed-delay-10", scenario -> new FifoPolicy(scenario, 0.1));
    policies.put("fixed-delay-25", scenario -> new FifoPolicy(scenario, 0.25));
    policies.put("fixed-delay-50", scenario -> new FifoPolicy(scenario, 0.5));
    policies.put("edf", EdfPolicy::new);
    policies.put("sliding-window", SlidingWindowPolicy::new);
    policies.put("symphony", scenario -> new SymphonyPolicy(scenario, false));
    policies.put("symphony-drop", scenario -> new SymphonyPolicy(scenario, true));
    policies.put("shrink-or-drop", ShrinkOrDropPolicy::new);
    return policies;
  }

  private static Map<String, Function<Scenario, Policy>> placed() {
    Map<String, Function<Scenario, Policy>> policies = new LinkedHashMap<>();
    policies.put("planned", scenario -> new PlacedPolicy(scenario, PlacementRule::planned));
    policies.put("repacked", scenario -> new PlacedPolicy(scenario, PlacementRule::repacked));
    policies.put("greedy", scenario -> new PlacedPolicy(scenario, PlacementRule::greedy));
    return policies;
  }

  /**
   * Returns every name of a policy that leaves models where they are, the production core first.
   */
  public static List<String> names() {
    return List.copyOf(BY_NAME.keySet());
  }

  /** Returns every name of a policy that moves models between devices, the production one first. */
  public static List<String> placedNames() {
    return List.copyOf(PLACED.keySet());
  }

  /**
   * Returns what makes a policy for a run.
   *
   * @throws IllegalArgumentException that names the policies there are
   */
  public static Function<Scenario, Policy> find(String name) {
    Function<Scenario, Policy> policy = BY_NAME.getOrDefault(name, PLACED.get(name));
    if (policy == null) {
      throw new IllegalArgumentException(
          "unknown policy \"%s\", there is: %s, %s"
              .formatted(name, String.join(", ", names()), String.join(", ", placedNames())));
    }
    return policy;
  }
}
