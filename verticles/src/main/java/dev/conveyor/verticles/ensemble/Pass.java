package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.ensemble.Binding;
import dev.conveyor.models.ensemble.Conditions;
import dev.conveyor.models.ensemble.FanOut;
import dev.conveyor.models.ensemble.Node;
import dev.conveyor.models.ensemble.PlannedStep;
import dev.conveyor.models.ensemble.Progress;
import dev.conveyor.models.ensemble.StepGraph;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One pass through a graph of steps: of a request, or of one of its items. What a step gives is
 * handed on by reference, shared where several want it. A step whose condition does not hold, or
 * that reads a tensor of one that did not run, does not run either.
 *
 * <p>Thread-confined: the context of the request. Invariant: a slot holds a tensor from when a step
 * gives it until its last reader takes it.
 */
final class Pass {

  /** Gets the outputs of the graph, empty where no step gave one. */
  @FunctionalInterface
  interface Done {
    void handle(List<Optional<Tensor>> outputs);
  }

  private final StepCalls calls;
  private final StepGraph graph;
  private final int item;
  private final Done whenDone;
  private final Progress progress;
  private final @Nullable Tensor[] slots;
  private final boolean[] absent;

  /** By slot: the tensor as the step gave it, to tell its place; null if no step gave it. */
  private final @Nullable Tensor[] given;

  private final int[] uses;
  private final List<Items> items = new ArrayList<>();
  private boolean finished;

  /**
   * Prepares a pass.
   *
   * @param item number of the item, or {@link StepCalls#NO_ITEM}
   */
  Pass(StepCalls calls, StepGraph graph, int item, Done whenDone) {
    this.calls = calls;
    this.graph = graph;
    this.item = item;
    this.whenDone = whenDone;
    this.progress = new Progress(graph);
    this.slots = new Tensor[graph.uses().size()];
    this.absent = new boolean[slots.length];
    this.given = new Tensor[slots.length];
    this.uses = new int[slots.length];
    for (int slot = 0; slot < uses.length; slot++) {
      uses[slot] = graph.uses().get(slot);
    }
  }

  /**
   * Begins.
   *
   * @param inputs in the order of the graph, null where there is none; taken over
   * @param fromSteps whether they were given by steps
   */
  void start(List<@Nullable Tensor> inputs, boolean fromSteps) {
    for (int i = 0; i < inputs.size(); i++) {
      int slot = graph.inputs().get(i).slot();
      given[slot] = fromSteps ? inputs.get(i) : null;
      put(slot, inputs.get(i));
    }
    advance(progress.start());
  }

  /** The request is over: gives back what is held. */
  void end() {
    finished = true;
    items.forEach(Items::end);
    for (int slot = 0; slot < slots.length; slot++) {
      Tensor left = slots[slot];
      if (left != null) {
        left.close();
        slots[slot] = null;
      }
    }
  }

  private void advance(List<Integer> ready) {
    for (int position : ready) {
      Node node = graph.nodes().get(position);
      if (calls.isOver()) {
        return;
      }
      if (node instanceof FanOut fanOut) {
        fanOut(fanOut, position);
      } else if (node instanceof PlannedStep step) {
        if (isSkipped(step)) {
          skip(step, position);
        } else {
          calls.run(step, item, () -> takeAll(step.inputs()), out -> done(step, position, out));
        }
      }
    }
    if (progress.isFinished() && !finished && !calls.isOver()) {
      finished = true;
      whenDone.handle(outputs());
    }
  }

  private boolean isSkipped(PlannedStep step) {
    boolean skipped = false;
    if (step.when().isPresent()) {
      try (Tensor condition = tryTake(step.when().getAsInt())) {
        skipped = condition == null || Conditions.holds(condition) == step.unless();
      }
    }
    for (Binding binding : step.inputs()) {
      Tensor held = slots[binding.slot()];
      skipped |= held == null || (step.needsRows() && held.sizeBytes() == 0);
    }
    return skipped;
  }

  private void skip(PlannedStep step, int position) {
    for (Binding binding : step.inputs()) {
      Tensor unread = tryTake(binding.slot());
      if (unread != null) {
        unread.close();
      }
    }
    for (Binding binding : step.outputs()) {
      absent[binding.slot()] = true;
    }
    advance(progress.done(position));
  }

  private void fanOut(FanOut node, int position) {
    Items running =
        new Items(
            calls,
            node,
            takeEach(node.inputs()),
            joined -> {
              for (int i = 0; i < joined.size(); i++) {
                int slot = node.outputs().get(i).slot();
                given[slot] = joined.get(i);
                put(slot, joined.get(i));
              }
              advance(progress.done(position));
            });
    items.add(running);
    running.start();
  }

  private void done(PlannedStep step, int position, List<Tensor> outputs) {
    boolean[] gave = new boolean[step.outputs().size()];
    for (Tensor output : outputs) {
      int at = find(step.outputs(), output.name());
      if (at < 0) {
        output.close();
      } else {
        int slot = step.outputs().get(at).slot();
        gave[at] = true;
        given[slot] = output;
        put(slot, output);
      }
    }
    for (int i = 0; i < gave.length; i++) {
      absent[step.outputs().get(i).slot()] |= !gave[i];
    }
    advance(progress.done(position));
  }

  private List<Optional<Tensor>> outputs() {
    List<@Nullable Tensor> taken = takeEach(graph.outputs());
    List<Optional<Tensor>> outputs = new ArrayList<>(taken.size());
    for (int i = 0; i < taken.size(); i++) {
      String name = graph.outputs().get(i).name();
      outputs.add(Optional.ofNullable(taken.get(i)).map(tensor -> tensor.renamed(name)));
    }
    return outputs;
  }

  private StepInputs takeAll(List<Binding> bindings) {
    List<@Nullable Tensor> taken = takeEach(bindings);
    List<Tensor> inputs = new ArrayList<>(taken.size());
    List<@Nullable Tensor> givers = new ArrayList<>(taken.size());
    for (int i = 0; i < taken.size(); i++) {
      Binding binding = bindings.get(i);
      Tensor tensor = Objects.requireNonNull(taken.get(i), binding.name());
      inputs.add(tensor.renamed(binding.name()));
      givers.add(given[binding.slot()]);
    }
    return new StepInputs(inputs, givers);
  }

  /** Takes all of them or, if one cannot be had, none: nobody would give them back. */
  private List<@Nullable Tensor> takeEach(List<Binding> bindings) {
    List<@Nullable Tensor> taken = new ArrayList<>(bindings.size());
    boolean complete = false;
    try {
      for (Binding binding : bindings) {
        taken.add(tryTake(binding.slot()));
      }
      complete = true;
      return taken;
    } finally {
      if (!complete) {
        closeAll(taken);
      }
    }
  }

  static void closeAll(List<? extends @Nullable Tensor> tensors) {
    for (Tensor tensor : tensors) {
      if (tensor != null) {
        tensor.close();
      }
    }
  }

  /** Takes what a slot holds, the last reader the tensor itself; null if no step gave it. */
  private @Nullable Tensor tryTake(int slot) {
    Tensor held = slots[slot];
    uses[slot]--;
    if (held == null && !absent[slot]) {
      throw new IllegalStateException("nothing in slot " + slot);
    }
    if (held == null || uses[slot] == 0) {
      slots[slot] = null;
      return held;
    }
    Tensor share = held.tryShare();
    if (share == null) {
      throw new IllegalStateException(held + " was closed by a step that did not own it");
    }
    return share;
  }

  private void put(int slot, @Nullable Tensor tensor) {
    if (tensor == null) {
      absent[slot] = true;
    } else if (uses[slot] == 0) {
      tensor.close();
    } else {
      slots[slot] = tensor;
    }
  }

  private static int find(List<Binding> bindings, String name) {
    for (int i = 0; i < bindings.size(); i++) {
      if (bindings.get(i).name().equals(name)) {
        return i;
      }
    }
    return -1;
  }
}
