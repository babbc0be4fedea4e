package dev.conveyor.models.ensemble;

import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.ensemble.Wiring.Group;
import dev.conveyor.models.ensemble.Wiring.Mode;
import dev.conveyor.models.ensemble.Wiring.Read;
import dev.conveyor.models.ensemble.Wiring.Wire;
import dev.conveyor.models.ensemble.Wiring.Wired;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Makes graphs of steps that fit: one of the request, with a node for each fan-out, and one of the
 * items of each. Not thread-safe: owned by a load.
 */
final class GraphAssembler {

  private final Tensors tensors;
  private final Scopes scopes;
  private final List<Wired> steps;
  private final List<Wire> results;
  private final Slots request = new Slots();
  private final List<PlannedStep> planned = new ArrayList<>();

  /**
   * Prepares it.
   *
   * @param steps in the order of the configuration
   * @param results what the ensemble gives
   */
  GraphAssembler(Tensors tensors, Scopes scopes, List<Wired> steps, List<Wire> results) {
    this.tensors = tensors;
    this.scopes = scopes;
    this.steps = steps;
    this.results = results;
  }

  EnsemblePlan assemble(List<String> inputs, ModelSignature signature) {
    List<Binding> in =
        inputs.stream().map(name -> request.give(name, new Read(name, Mode.SAME))).toList();
    List<Node> nodes = new ArrayList<>();
    for (Wired step : steps) {
      if (step.scope() == Wiring.REQUEST) {
        PlannedStep node = step.planned(request);
        planned.add(node);
        nodes.add(node);
      }
    }
    for (int scope = 1; scope <= scopes.count(); scope++) {
      nodes.add(fanOut(scope));
    }
    List<Binding> out = results.stream().map(w -> request.take(w.name(), w.read())).toList();
    StepGraph graph = new StepGraph(nodes, in, out, request.uses(), request.givers());
    requireNoCycle(graph);
    planned.sort((a, b) -> Integer.compare(a.index(), b.index()));
    return new EnsemblePlan(graph, planned, signature);
  }

  private FanOut fanOut(int scope) {
    Slots inside = new Slots();
    List<Wired> members = steps.stream().filter(step -> step.scope() == scope).toList();
    List<PlannedStep> body = members.stream().map(step -> step.planned(inside)).toList();
    planned.addAll(body);
    List<Read> captured = new ArrayList<>(captured(members, Mode.ROW));
    int apart = captured.size();
    captured.addAll(captured(members, Mode.WHOLE));
    List<String> joined = joined(scope);
    List<Binding> bodyInputs =
        captured.stream().map(read -> inside.give(read.tensor(), read)).toList();
    List<Binding> bodyOutputs =
        joined.stream().map(name -> inside.take(name, new Read(name, Mode.SAME))).toList();
    List<TensorSpec> specs =
        joined.stream().map(name -> tensors.seen(new Read(name, Mode.JOINED))).toList();
    Group group = scopes.group(scope);
    return new FanOut(
        labelOf(group.first(), body),
        captured.stream().map(this::capture).toList(),
        apart,
        new StepGraph(List.copyOf(body), bodyInputs, bodyOutputs, inside.uses(), inside.givers()),
        joined.stream().map(name -> request.give(name, new Read(name, Mode.JOINED))).toList(),
        specs,
        group.maxItems(),
        group.onExcess());
  }

  /** Items of another fan-out are taken from what they are joined to. */
  private Binding capture(Read read) {
    boolean ofRequest = tensors.get(read.tensor()).scope() == Wiring.REQUEST;
    return request.take(
        read.tensor(), new Read(read.tensor(), ofRequest ? Mode.SAME : Mode.JOINED));
  }

  private static Set<Read> captured(List<Wired> members, Mode mode) {
    Set<Read> captured = new LinkedHashSet<>();
    for (Wired step : members) {
      step.inputs().stream().map(Wire::read).filter(r -> r.mode() == mode).forEach(captured::add);
      Read when = step.when();
      if (when != null && when.mode() == mode) {
        captured.add(when);
      }
    }
    return captured;
  }

  /** Returns the items of a fan-out that somebody outside of it reads. */
  private List<String> joined(int scope) {
    Set<String> joined = new LinkedHashSet<>();
    for (Wired step : steps) {
      if (step.scope() != scope) {
        step.inputs().forEach(wire -> joined.add(wire.read().tensor()));
        Read when = step.when();
        if (when != null) {
          joined.add(when.tensor());
        }
      }
    }
    results.forEach(wire -> joined.add(wire.read().tensor()));
    return joined.stream().filter(name -> tensors.get(name).scope() == scope).toList();
  }

  /** Steps do not wait for each other in a circle; a fan-out, which waits as one, might. */
  private void requireNoCycle(StepGraph graph) {
    Progress progress = new Progress(graph);
    List<Integer> ready = new ArrayList<>(progress.start());
    while (!ready.isEmpty()) {
      ready.addAll(progress.done(ready.remove(0)));
    }
    for (int i = 0; i < graph.nodes().size(); i++) {
      if (!progress.hasBegun(i) && graph.nodes().get(i) instanceof FanOut fanOut) {
        String missing =
            fanOut.inputs().stream()
                .filter(binding -> !progress.isThere(binding.slot()))
                .map(Binding::name)
                .findFirst()
                .orElse("");
        throw new ConfigException(
            "ensemble_scheduling.step",
            "a cycle: the items that begin with "
                + fanOut.label()
                + " wait for tensor \""
                + missing
                + "\", which is made of what they give; join them and take them apart anew");
      }
    }
  }

  private static String labelOf(int first, List<PlannedStep> body) {
    return body.stream().filter(s -> s.index() == first).findFirst().orElseThrow().label();
  }
}
