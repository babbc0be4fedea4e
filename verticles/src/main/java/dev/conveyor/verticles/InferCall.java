package dev.conveyor.verticles;

import dev.conveyor.models.Tensor;
import java.util.List;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One inference as a front end asks for it, before it is checked against the model.
 *
 * @param version empty for the default version
 * @param inputs in any order; ownership moves to the gateway
 * @param priority level, 1 the highest; 0 takes the model's default
 * @param timeoutMicros the {@code timeout} parameter; 0 for none
 * @param deadlineNs {@link System#nanoTime} at which the client stops waiting, or {@link
 *     dev.conveyor.scheduler.InferenceRequest#NO_DEADLINE}
 * @param tenant who shares the model with others; empty for clients that do not say
 * @param trace the client's {@link TraceParent}; empty if it sent none
 * @param arrival told of the inputs as they go into a batch, on whatever thread that is; null if
 *     nobody wants to know
 * @param staying says of a device and an output of the model that it may stay there, as it is read
 *     nowhere else; asked on whatever thread runs the batch; null if all are read on the host
 */
public record InferCall(
    String model,
    String version,
    List<Tensor> inputs,
    int priority,
    long timeoutMicros,
    long deadlineNs,
    String tenant,
    String trace,
    @Nullable Consumer<List<Tensor>> arrival,
    @Nullable BiPredicate<String, String> staying) {

  /** Creates a call whose outputs are read on the host. */
  public InferCall(
      String model,
      String version,
      List<Tensor> inputs,
      int priority,
      long timeoutMicros,
      long deadlineNs,
      String tenant,
      String trace,
      @Nullable Consumer<List<Tensor>> arrival) {
    this(model, version, inputs, priority, timeoutMicros, deadlineNs, tenant, trace, arrival, null);
  }

  /** Creates a call whose inputs nobody follows. */
  public InferCall(
      String model,
      String version,
      List<Tensor> inputs,
      int priority,
      long timeoutMicros,
      long deadlineNs,
      String tenant,
      String trace) {
    this(model, version, inputs, priority, timeoutMicros, deadlineNs, tenant, trace, null);
  }

  /** Creates a call that belongs to no trace. */
  public InferCall(
      String model,
      String version,
      List<Tensor> inputs,
      int priority,
      long timeoutMicros,
      long deadlineNs,
      String tenant) {
    this(model, version, inputs, priority, timeoutMicros, deadlineNs, tenant, TraceParent.NONE);
  }

  /** Creates a call of a client that does not say who it is. */
  public InferCall(
      String model,
      String version,
      List<Tensor> inputs,
      int priority,
      long timeoutMicros,
      long deadlineNs) {
    this(model, version, inputs, priority, timeoutMicros, deadlineNs, "");
  }

  /** Returns the same call, all of whose outputs are read on the host. */
  InferCall withOutputsOnHost() {
    return staying == null
        ? this
        : new InferCall(
            model, version, inputs, priority, timeoutMicros, deadlineNs, tenant, trace, arrival);
  }

  /** Returns the same call with its inputs in other places; it owns these, and no others. */
  InferCall withInputs(List<Tensor> moved) {
    return new InferCall(
        model,
        version,
        moved,
        priority,
        timeoutMicros,
        deadlineNs,
        tenant,
        trace,
        arrival,
        staying);
  }

  /** Says that the inputs go into a batch, and where they are then. */
  public void arrived(List<Tensor> received) {
    if (arrival != null) {
      arrival.accept(received);
    }
  }
}
