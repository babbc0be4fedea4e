package dev.conveyor.models.tensorrt;

import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.Sample;
import java.util.List;

/**
 * Items of data put together to batches of one size; what is left over at the end is left out.
 * Thread-confined.
 */
final class CalibrationBatches {

  private final DataSet data;
  private final int batchSize;
  private final byte[][] bytes;
  private int read;

  /**
   * Begins before the first batch.
   *
   * @param batchSize items in a batch, which is what TensorRT reads, whatever is said to it
   * @throws IllegalArgumentException if there are not so many, or an input has no fixed size
   */
  CalibrationBatches(DataSet data, List<TensorSpec> inputs, int batchSize) {
    if (data.size() < batchSize) {
      throw new IllegalArgumentException(
          "int8_calibration_data: expected %d items or more, as many as in the batch that the engine is"
                  .formatted(batchSize)
              + " made for, found %d".formatted(data.size()));
    }
    this.data = data;
    this.batchSize = batchSize;
    this.bytes = new byte[inputs.size()][];
    for (int i = 0; i < bytes.length; i++) {
      TensorSpec spec = inputs.get(i);
      Shape shape = BatchProfile.shape(spec.name(), spec.shape(), this.batchSize);
      bytes[i] =
          new byte[Math.toIntExact(Math.multiplyExact(shape.elements(), spec.type().sizeBytes()))];
    }
  }

  int batchSize() {
    return batchSize;
  }

  /** Returns the bytes of a batch of an input. */
  long batchBytes(int input) {
    return bytes[input].length;
  }

  /** Reads the next batch. Returns whether there was one. */
  boolean next() {
    if (data.size() - read < batchSize) {
      return false;
    }
    for (int item = 0; item < batchSize; item++) {
      Sample sample = data.sample(read++);
      for (int i = 0; i < bytes.length; i++) {
        put(sample, i, item);
      }
    }
    return true;
  }

  private void put(Sample sample, int input, int item) {
    try (Tensor tensor = sample.inputs().get(input)) {
      int itemBytes = bytes[input].length / batchSize;
      if (tensor.sizeBytes() != itemBytes) {
        throw new IllegalArgumentException(
            "%s: expected %d bytes for '%s', found %d"
                .formatted(sample.name(), itemBytes, tensor.name(), tensor.sizeBytes()));
      }
      tensor.data().get(tensor.data().position(), bytes[input], item * itemBytes, itemBytes);
    }
  }

  /** Returns an input of the batch that was read last; valid until the next. */
  byte[] bytes(int input) {
    return bytes[input];
  }
}
