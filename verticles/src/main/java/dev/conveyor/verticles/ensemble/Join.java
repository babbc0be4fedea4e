package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.Rows;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.steps.Step;
import dev.conveyor.models.steps.StepResources;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Puts what the items of a request gave together, output by output. Immutable; runs on a worker, or
 * on the event loop where there is little to copy.
 */
final class Join implements Step {

  private final List<TensorSpec> specs;

  /** By output: the numbers of the items that gave it; their parts come in this order. */
  private final List<List<Integer>> givers = new ArrayList<>();

  private final List<Tensor> parts = new ArrayList<>();
  private final int copiedBytes;

  /**
   * Prepares the join.
   *
   * @param results by item, then by output, empty where a step did not run; taken over
   */
  Join(List<TensorSpec> specs, List<List<Optional<Tensor>>> results) {
    this.specs = specs;
    long copied = 0;
    for (int output = 0; output < specs.size(); output++) {
      List<Integer> items = new ArrayList<>();
      long bytes = 0;
      for (int item = 0; item < results.size(); item++) {
        Optional<Tensor> part = results.get(item).get(output);
        if (part.isPresent()) {
          items.add(item);
          parts.add(part.get());
          bytes += part.get().sizeBytes();
        }
      }
      givers.add(items);
      copied += items.size() > 1 ? bytes : 0;
    }
    this.copiedBytes = (int) Math.min(Integer.MAX_VALUE, copied);
  }

  /** Returns the parts; whoever runs the join closes them afterwards. */
  List<Tensor> parts() {
    return parts;
  }

  /** Returns how much it copies: a single part is handed on as it is. */
  int copiedBytes() {
    return copiedBytes;
  }

  @Override
  public List<String> inputs() {
    return parts.stream().map(Tensor::name).toList();
  }

  @Override
  public List<TensorSpec> outputs(List<TensorSpec> inputs) {
    return specs;
  }

  @Override
  public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
    List<Tensor> joined = new ArrayList<>(specs.size());
    boolean done = false;
    try {
      int from = 0;
      for (int output = 0; output < givers.size(); output++) {
        List<Integer> items = givers.get(output);
        List<Tensor> given = inputs.subList(from, from + items.size());
        joined.add(Rows.join(specs.get(output), given, items, resources::tensor));
        from += items.size();
      }
      done = true;
      return joined;
    } finally {
      if (!done) {
        joined.forEach(Tensor::close);
      }
    }
  }
}
