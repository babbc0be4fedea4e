package dev.conveyor.models;

import java.util.ArrayList;
import java.util.List;

/**
 * Two shapes of the same bytes: what clients see and what the model sees (Triton's {@code
 * reshape}). Immutable.
 *
 * <p>Dimensions of any size stand on both sides, and the first of one side is the first of the
 * other; between them lie as many elements.
 */
public record Reshape(Shape client, Shape model) {

  /** Returns whether every tensor of one shape has as many elements in the other. */
  public boolean keepsElements() {
    return runs(client).equals(runs(model));
  }

  /** Returns what the model sees of a tensor that clients see with this shape. */
  public Shape toModel(Shape actual) {
    return convert(client, model, actual);
  }

  /** Returns what clients see of a tensor that the model sees with this shape. */
  public Shape toClient(Shape actual) {
    return convert(model, client, actual);
  }

  private static Shape convert(Shape from, Shape to, Shape actual) {
    long[] dims = to.toArray();
    int at = 0;
    for (int i = 0; i < dims.length; i++) {
      if (dims[i] == Shape.DYNAMIC) {
        while (from.dim(at) != Shape.DYNAMIC) {
          at++;
        }
        dims[i] = actual.dim(at++);
      }
    }
    return Shape.of(dims);
  }

  /** Products of what lies between dimensions of any size. Saturate: dims may be absurd. */
  private static List<Double> runs(Shape shape) {
    List<Double> runs = new ArrayList<>();
    double run = 1;
    for (long dim : shape.toArray()) {
      if (dim == Shape.DYNAMIC) {
        runs.add(run);
        run = 1;
      } else {
        run *= dim;
      }
    }
    runs.add(run);
    return runs;
  }
}
