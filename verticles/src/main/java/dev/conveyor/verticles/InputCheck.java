package dev.conveyor.verticles;

import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Checks the inputs of a request against what a model takes, and puts them into the model's order.
 *
 * <p>Thread-safe: immutable, one per served model. Runs once per request, on the event loop.
 */
public final class InputCheck {

  private final String model;
  private final TensorSpec[] specs;
  private final TensorSpec[] tensors;
  private final int maxBatchSize;
  private final boolean fixedShapes;

  /**
   * Creates the check.
   *
   * @param specs what clients send: full shapes, with the batch dimension if there is one
   * @param tensors what the model takes, in the same order; differs where clients may send encoded
   *     images, and is accepted there too
   * @param maxBatchSize 0 if the model does not batch
   */
  public InputCheck(
      String model, List<TensorSpec> specs, List<TensorSpec> tensors, int maxBatchSize) {
    this.model = model;
    this.specs = specs.toArray(TensorSpec[]::new);
    this.tensors = tensors.toArray(TensorSpec[]::new);
    this.maxBatchSize = maxBatchSize;
    boolean fixed = true;
    for (TensorSpec spec : tensors) {
      Shape item = maxBatchSize > 0 ? spec.shape().withoutFirst() : spec.shape();
      fixed &= item.isStatic();
    }
    this.fixedShapes = fixed;
  }

  /**
   * Inputs that fit the model.
   *
   * @param batchSize first dimension; 1 for a model that does not batch
   * @param shapeKey equal for requests that may share a batch; null if all may
   */
  public record Checked(List<Tensor> inputs, int batchSize, @Nullable Object shapeKey) {}

  /**
   * Checks the inputs; closes nothing.
   *
   * @throws InferenceException if they do not fit
   */
  public Checked check(List<Tensor> inputs) {
    if (inputs.size() != specs.length) {
      throw InferenceException.invalid(
          "expected %d inputs but got %d inputs for model '%s'"
              .formatted(specs.length, inputs.size(), model));
    }
    List<Tensor> ordered = inputs;
    int batchSize = 0;
    for (int i = 0; i < specs.length; i++) {
      Tensor tensor = inputs.get(i);
      if (!tensor.name().equals(specs[i].name())) {
        if (ordered == inputs) {
          ordered = new ArrayList<>(inputs);
        }
        tensor = find(inputs, specs[i].name());
        ordered.set(i, tensor);
      }
      TensorSpec spec = tensor.type() == tensors[i].type() ? tensors[i] : specs[i];
      int size = checkOne(tensor, spec);
      if (tensor.shape().rank() != spec.shape().rank()) {
        if (ordered == inputs) {
          ordered = new ArrayList<>(inputs);
        }
        ordered.set(i, tensor.reshaped(Shape.of(tensor.shape().dim(0), 1)));
      }
      if (i > 0 && size != batchSize) {
        throw InferenceException.invalid(
            "input '%s' batch size does not match other inputs for '%s': %d and %d"
                .formatted(tensor.name(), model, size, batchSize));
      }
      batchSize = size;
    }
    return new Checked(ordered, Math.max(1, batchSize), fixedShapes ? null : shapeKey(ordered));
  }

  /**
   * Returns checked inputs whose images have become tensors: their shapes may differ now.
   *
   * @param tensors in the order of the model
   */
  Checked decoded(Checked checked, List<Tensor> tensors) {
    return new Checked(
        tensors, checked.batchSize(), fixedShapes ? checked.shapeKey() : shapeKey(tensors));
  }

  private Tensor find(List<Tensor> inputs, String name) {
    Tensor found = null;
    for (Tensor tensor : inputs) {
      if (tensor.name().equals(name)) {
        found = tensor;
      } else if (!isKnown(tensor.name())) {
        throw InferenceException.invalid(
            "unexpected inference input '%s' for model '%s'".formatted(tensor.name(), model));
      }
    }
    if (found == null) {
      throw InferenceException.invalid(
          "expected input '%s' for model '%s' is missing".formatted(name, model));
    }
    return found;
  }

  private boolean isKnown(String name) {
    for (TensorSpec spec : specs) {
      if (spec.name().equals(name)) {
        return true;
      }
    }
    return false;
  }

  /** Returns the batch size of one tensor. */
  private int checkOne(Tensor tensor, TensorSpec spec) {
    if (tensor.type() != spec.type()) {
      throw InferenceException.invalid(
          "inference input '%s' data-type is '%s', but model '%s' expects '%s'"
              .formatted(tensor.name(), tensor.type(), model, spec.type()));
    }
    Shape shape = tensor.shape();
    if (!spec.shape().accepts(shape) && !isFlatList(shape, spec)) {
      throw InferenceException.invalid(
          "unexpected shape for input '%s' for model '%s'. Expected %s, got %s."
              .formatted(tensor.name(), model, spec.shape(), shape));
    }
    long elements = elements(tensor, shape);
    if (tensor.type() == DataType.BYTES) {
      int unused = BytesTensors.count(tensor); // checks every length on the way
    } else if (elements * tensor.type().sizeBytes() != tensor.sizeBytes()) {
      throw InferenceException.invalid(
          "input '%s' has %d bytes, shape %s of %s needs %d"
              .formatted(
                  tensor.name(),
                  tensor.sizeBytes(),
                  shape,
                  tensor.type(),
                  elements * tensor.type().sizeBytes()));
    }
    return maxBatchSize > 0 ? batchSize(tensor) : 1;
  }

  /** Shapes come from clients: they may have any dimension, and a product beyond every type. */
  private static long elements(Tensor tensor, Shape shape) {
    try {
      if (shape.isStatic() && shape.elements() <= Integer.MAX_VALUE) {
        return shape.elements();
      }
    } catch (ArithmeticException e) {
      // Falls through to the same refusal.
    }
    throw InferenceException.invalid(
        "input '%s': shape %s is not one of a tensor that a message can hold"
            .formatted(tensor.name(), shape));
  }

  /** Clients send n images or texts as [n] as well as [n,1], which is what the model gets. */
  private static boolean isFlatList(Shape shape, TensorSpec spec) {
    return spec.type() == DataType.BYTES
        && shape.rank() == 1
        && spec.shape().rank() == 2
        && spec.shape().accepts(Shape.of(shape.dim(0), 1));
  }

  private int batchSize(Tensor tensor) {
    long size = tensor.shape().dim(0);
    if (size < 1 || size > maxBatchSize) {
      throw InferenceException.invalid(
          "inference request batch-size must be from 1 to %d for '%s', was %d"
              .formatted(maxBatchSize, model, size));
    }
    return (int) size;
  }

  private Object shapeKey(List<Tensor> inputs) {
    List<Shape> shapes = new ArrayList<>(inputs.size());
    for (Tensor tensor : inputs) {
      shapes.add(maxBatchSize > 0 ? tensor.shape().withoutFirst() : tensor.shape());
    }
    return shapes;
  }
}
