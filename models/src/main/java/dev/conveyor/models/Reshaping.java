package dev.conveyor.models;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * How tensors of a model change their shapes between clients and the model. No byte moves: tensors
 * that come out share the memory of those that went in, and take their place.
 *
 * <p>Thread-safe: immutable, one per served model.
 */
public final class Reshaping {

  private final ModelSignature client;
  private final @Nullable Reshape[] inputs;
  private final @Nullable Reshape[] outputs;
  private final boolean anyInput;
  private final boolean anyOutput;

  /**
   * Creates it.
   *
   * @param client what clients see, in the model's order
   * @param model what the model sees
   */
  public Reshaping(ModelSignature client, ModelSignature model) {
    this.client = client;
    this.inputs = between(client.inputs(), model.inputs());
    this.outputs = between(client.outputs(), model.outputs());
    this.anyInput = any(inputs);
    this.anyOutput = any(outputs);
  }

  /** Returns what clients see who send tensors. */
  public ModelSignature client() {
    return client;
  }

  /**
   * Returns inputs as the model takes them.
   *
   * @param given as clients send them, checked, in the model's order
   */
  public List<Tensor> toModel(List<Tensor> given) {
    if (!anyInput) {
      return given;
    }
    List<Tensor> seen = new ArrayList<>(given);
    for (int i = 0; i < inputs.length; i++) {
      Reshape reshape = inputs[i];
      if (reshape != null) {
        seen.set(i, given.get(i).reshaped(reshape.toModel(given.get(i).shape())));
      }
    }
    return seen;
  }

  /**
   * Returns what makes answers of outputs.
   *
   * @param before what is done with outputs as the model gives them
   */
  public UnaryOperator<List<Tensor>> after(UnaryOperator<List<Tensor>> before) {
    return anyOutput ? given -> toClient(before.apply(given)) : before;
  }

  private List<Tensor> toClient(List<Tensor> given) {
    List<Tensor> seen = new ArrayList<>(given);
    for (int i = 0; i < outputs.length; i++) {
      Reshape reshape = outputs[i];
      if (reshape != null) {
        seen.set(i, given.get(i).reshaped(reshape.toClient(given.get(i).shape())));
      }
    }
    return seen;
  }

  private static @Nullable Reshape[] between(List<TensorSpec> client, List<TensorSpec> model) {
    @Nullable Reshape[] reshapes = new Reshape[client.size()];
    for (int i = 0; i < reshapes.length; i++) {
      Shape seen = client.get(i).shape();
      Shape taken = model.get(i).shape();
      reshapes[i] = seen.equals(taken) ? null : new Reshape(seen, taken);
    }
    return reshapes;
  }

  private static boolean any(@Nullable Reshape[] reshapes) {
    for (Reshape reshape : reshapes) {
      if (reshape != null) {
        return true;
      }
    }
    return false;
  }
}
