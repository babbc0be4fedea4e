package dev.conveyor.models;

import java.util.Arrays;
import java.util.List;

/**
 * The dimensions of a tensor. Immutable. A dimension of {@link #DYNAMIC} stands for any size and
 * occurs in signatures only; no dimensions at all is a scalar.
 */
public final class Shape {

  public static final long DYNAMIC = -1;

  private static final Shape SCALAR = new Shape(new long[0]);

  private final long[] dims;

  private Shape(long[] dims) {
    this.dims = dims;
  }

  /**
   * Returns the shape with these dimensions.
   *
   * @throws IllegalArgumentException if a dimension is below -1
   */
  public static Shape of(long... dims) {
    for (long dim : dims) {
      if (dim < DYNAMIC) {
        throw new IllegalArgumentException(
            "a dimension is -1 (dynamic) or more, was " + Arrays.toString(dims));
      }
    }
    return dims.length == 0 ? SCALAR : new Shape(dims.clone());
  }

  public static Shape of(List<Long> dims) {
    return of(dims.stream().mapToLong(Long::longValue).toArray());
  }

  public int rank() {
    return dims.length;
  }

  public long dim(int axis) {
    return dims[axis];
  }

  public long[] toArray() {
    return dims.clone();
  }

  public boolean isStatic() {
    for (long dim : dims) {
      if (dim == DYNAMIC) {
        return false;
      }
    }
    return true;
  }

  /**
   * Returns the number of elements; 1 for a scalar.
   *
   * @throws ArithmeticException if it does not fit in a long
   * @throws IllegalStateException if a dimension is dynamic
   */
  public long elements() {
    long product = 1;
    for (long dim : dims) {
      if (dim == DYNAMIC) {
        throw new IllegalStateException("no element count: " + this + " has a dynamic dimension");
      }
      product = Math.multiplyExact(product, dim);
    }
    return product;
  }

  /** Returns this shape with {@code size} as a new first dimension. */
  public Shape withBatch(long size) {
    long[] batched = new long[dims.length + 1];
    batched[0] = size;
    System.arraycopy(dims, 0, batched, 1, dims.length);
    return new Shape(batched);
  }

  /** Returns this shape with its first dimension replaced. */
  public Shape withFirst(long size) {
    long[] changed = dims.clone();
    changed[0] = size;
    return new Shape(changed);
  }

  /** Returns this shape without its first dimension. */
  public Shape withoutFirst() {
    return new Shape(Arrays.copyOfRange(dims, 1, dims.length));
  }

  /** Returns true if {@code actual} has the same rank and equal dimensions where they are fixed. */
  public boolean accepts(Shape actual) {
    if (actual.dims.length != dims.length) {
      return false;
    }
    for (int i = 0; i < dims.length; i++) {
      if (dims[i] != DYNAMIC && dims[i] != actual.dims[i]) {
        return false;
      }
    }
    return true;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape shape && Arrays.equals(dims, shape.dims);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dims);
  }

  @Override
  public String toString() {
    return Arrays.toString(dims).replace(" ", "");
  }
}
