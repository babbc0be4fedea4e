package dev.conveyor.models.ensemble;

import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.StepFlow;
import java.util.List;
import java.util.OptionalInt;

/**
 * The steps between a fan-out and the join: they run once per row of what is taken apart, and what
 * they give is put together again in the order of the rows.
 *
 * @param label of the step that fans out, for messages
 * @param inputs those taken apart first, then those that every item gets whole
 * @param apart how many inputs are taken apart
 * @param body its inputs and outputs are in the order of those here
 * @param joined what the outputs are together; the first dimension is dynamic
 * @param maxItems most rows of one request
 */
public record FanOut(
    String label,
    List<Binding> inputs,
    int apart,
    StepGraph body,
    List<Binding> outputs,
    List<TensorSpec> joined,
    int maxItems,
    StepFlow.Excess onExcess)
    implements Node {

  public FanOut {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
    joined = List.copyOf(joined);
  }

  /** Conditions belong to the steps inside. */
  @Override
  public OptionalInt when() {
    return OptionalInt.empty();
  }
}
