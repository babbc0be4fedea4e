package dev.conveyor.models.ensemble;

import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.EnsembleConfig;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.StepFlow;
import dev.conveyor.models.ensemble.Wiring.Group;
import dev.conveyor.models.ensemble.Wiring.Mode;
import dev.conveyor.models.ensemble.Wiring.Read;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Which steps run once per request and which once per item: a step with {@code for_each} begins a
 * fan-out, or belongs to the one that takes the same tensor apart; whoever reads an item belongs to
 * its fan-out, unless it joins. Not thread-safe: owned by a load.
 */
final class Scopes {

  private static final String KEY = ModelConfig.EXTENSIONS_KEY + ".ensemble_step[";

  private final Map<Integer, StepFlow> flows = new HashMap<>();
  private final Map<Integer, Integer> positions = new HashMap<>();
  private final List<Group> groups = new ArrayList<>();
  private final Tensors tensors;

  Scopes(List<StepFlow> flows, Tensors tensors) {
    this.tensors = tensors;
    for (int i = 0; i < flows.size(); i++) {
      this.flows.put(flows.get(i).step(), flows.get(i));
      positions.put(flows.get(i).step(), i);
    }
  }

  /** Returns the fan-out of a scope. */
  Group group(int scope) {
    return groups.get(scope - 1);
  }

  int count() {
    return groups.size();
  }

  /** Returns the tensor that decides whether a step runs, if there is one. */
  @Nullable String when(int step) {
    StepFlow flow = flows.get(step);
    return flow == null || flow.condition().isEmpty() ? null : flow.condition();
  }

  /** Returns whether a step runs where that tensor does not hold. */
  boolean runsUnless(int step) {
    StepFlow flow = flows.get(step);
    return flow != null && !flow.unless().isEmpty();
  }

  /** Returns whether one of two steps runs where the other is skipped. */
  boolean areAlternatives(int a, int b) {
    String condition = when(a);
    return condition != null && condition.equals(when(b)) && runsUnless(a) != runsUnless(b);
  }

  boolean joins(int step) {
    StepFlow flow = flows.get(step);
    return flow != null && flow.join();
  }

  /** Returns the path of a key of a step's entry. */
  String key(int step, String key) {
    return KEY + positions.getOrDefault(step, 0) + "]." + key;
  }

  /** Returns the scope of a step, all of whose tensors are known. */
  int scope(int index, EnsembleConfig.Step step) {
    Set<Integer> scopes = new TreeSet<>();
    Set<String> reads = new HashSet<>(step.inputMap().values());
    String when = when(index);
    if (when != null) {
      reads.add(when);
    }
    for (String tensor : reads) {
      scopes.add(tensors.get(tensor).scope());
    }
    scopes.remove(Wiring.REQUEST);
    StepFlow flow = flows.get(index);
    if (flow != null && flow.join()) {
      if (scopes.isEmpty()) {
        throw new ConfigException(
            key(index, "join"), "a join without a fan-out: step " + index + " reads no items");
      }
      scopes.clear();
    }
    if (flow != null && flow.fansOut()) {
      scopes.add(fanOut(index, step, flow));
    }
    if (scopes.size() > 1) {
      List<Integer> firsts = scopes.stream().map(scope -> group(scope).first()).toList();
      throw new ConfigException(
          "input_map",
          "items of one fan-out",
          "items of the fan-outs that begin with the steps " + firsts);
    }
    return scopes.isEmpty() ? Wiring.REQUEST : scopes.iterator().next();
  }

  /** Returns how a step of this scope reads a tensor. */
  Read read(int scope, String tensor, boolean apart) {
    int from = tensors.get(tensor).scope();
    if (scope == Wiring.REQUEST) {
      return new Read(tensor, from == Wiring.REQUEST ? Mode.SAME : Mode.JOINED);
    }
    if (from == scope) {
      return new Read(tensor, Mode.SAME);
    }
    return new Read(tensor, apart ? Mode.ROW : Mode.WHOLE);
  }

  /** Returns how a step of this scope reads its condition. */
  Read readWhen(int scope, String tensor) {
    boolean apart = scope != Wiring.REQUEST && group(scope).apart().contains(tensor);
    return read(scope, tensor, apart);
  }

  boolean isApart(int index, String input) {
    StepFlow flow = flows.get(index);
    return flow != null && flow.forEach().contains(input);
  }

  private int fanOut(int index, EnsembleConfig.Step step, StepFlow flow) {
    Set<String> apart = new HashSet<>();
    for (String input : flow.forEach()) {
      String tensor = step.inputMap().getOrDefault(input, "");
      if (!flow.join() && tensors.get(tensor).scope() != Wiring.REQUEST) {
        throw new ConfigException(
            key(index, "for_each"),
            "a fan-out inside of a fan-out: tensor \""
                + tensor
                + "\" has an item each already; join first, or make an ensemble of the inner steps");
      }
      apart.add(tensor);
    }
    for (int i = 0; i < groups.size(); i++) {
      Group group = groups.get(i);
      if (group.apart().stream().anyMatch(apart::contains)) {
        if (group.maxItems() != flow.maxItems() || group.onExcess() != flow.onExcess()) {
          throw new ConfigException(
              key(index, "max_items"),
              "the limits of step " + group.first() + ", which takes the same tensor apart",
              flow.maxItems() + " and " + flow.onExcess());
        }
        apart.addAll(group.apart());
        groups.set(
            i, new Group(group.first(), Set.copyOf(apart), flow.maxItems(), flow.onExcess()));
        return i + 1;
      }
    }
    groups.add(new Group(index, Set.copyOf(apart), flow.maxItems(), flow.onExcess()));
    return groups.size();
  }
}
