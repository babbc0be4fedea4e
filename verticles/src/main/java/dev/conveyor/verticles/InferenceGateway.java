package dev.conveyor.verticles;

import dev.conveyor.scheduler.ReplyTo;
import java.util.function.Predicate;

/**
 * The way into the line for every protocol: checks the call against the model, turns images into
 * tensors where the model asks for it, and submits to the scheduler.
 *
 * <p>Thread-safe; call it on a Vert.x context. The handler runs on that context, exactly once, also
 * when the call is refused at once. The response holds every output of the model, in the model's
 * order; the front end picks what the client asked for.
 */
public interface InferenceGateway {

  /** Sends the call. The handler owns the response. */
  ReplyTo infer(InferCall call, ReplyTo.Handler handler);

  /**
   * Tells the line that calls of this model were given up, so that it does not keep what they
   * brought until their turn would have come.
   */
  default void onGivenUp(String model) {}

  /**
   * Returns whether all instances of a model run on such devices, by their names, now. From any
   * thread; does not block.
   */
  default boolean runsOnlyOn(Predicate<String> devices, String model, String version) {
    return false;
  }
}
