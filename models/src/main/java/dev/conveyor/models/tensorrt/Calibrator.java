package dev.conveyor.models.tensorrt;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.optimize.data.DataSet;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.tensorrt.nvinfer.IInt8EntropyCalibrator2;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives the builder the inputs that it finds the ranges of 8-bit integers with, batch by batch
 * (entropy calibration). Thread-confined: owned by the thread that builds.
 */
final class Calibrator extends IInt8EntropyCalibrator2 implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(Calibrator.class);

  private final CalibrationBatches batches;
  private final Cuda cuda;
  private final List<TensorSpec> inputs;
  private final long pool;
  private final long stream;
  private final long[] device;

  /**
   * Takes device memory for one batch of every input.
   *
   * @param inputs of the model, in its order
   */
  Calibrator(Cuda cuda, int deviceNumber, List<TensorSpec> inputs, DataSet data, int batchSize) {
    this.cuda = cuda;
    this.inputs = inputs;
    this.batches = new CalibrationBatches(data, inputs, batchSize);
    this.stream = cuda.newStream(0);
    this.pool = cuda.newPool(deviceNumber, 0);
    this.device = new long[inputs.size()];
    try {
      for (int i = 0; i < device.length; i++) {
        device[i] = cuda.allocate(pool, batches.batchBytes(i), stream);
      }
      cuda.awaitStream(stream);
    } catch (RuntimeException e) {
      giveBack();
      throw e;
    }
  }

  @Override
  @SuppressWarnings("deprecation") // What takes its place is Q/DQ pairs in the file.
  public int getBatchSize() {
    return batches.batchSize();
  }

  @Override
  @SuppressWarnings({"deprecation", "rawtypes"})
  public boolean getBatch(PointerPointer bindings, PointerPointer names, int count) {
    try {
      if (!batches.next()) {
        return false;
      }
      for (int b = 0; b < count; b++) {
        int input = input(new BytePointer(names.get(b)).getString());
        try (BytePointer host = new BytePointer(batches.bytes(input))) {
          cuda.copyToDevice(device[input], host.address(), batches.batchBytes(input), stream);
          cuda.awaitStream(stream);
        }
        bindings.put(b, new Address(device[input]));
      }
      return true;
    } catch (RuntimeException e) {
      // Through C++ no exception can go: without data the builder fails, and says so.
      log.error("calibration: {}", e.getMessage(), e);
      return false;
    }
  }

  private int input(String name) {
    for (int i = 0; i < inputs.size(); i++) {
      if (inputs.get(i).name().equals(name)) {
        return i;
      }
    }
    throw new IllegalStateException("calibration: the model has no input '" + name + "'");
  }

  /** The engine itself is kept; its ranges need not be. */
  @Override
  public @Nullable Pointer readCalibrationCache(LongPointer length) {
    length.put(0);
    return null;
  }

  @Override
  public void writeCalibrationCache(Pointer cache, long length) {
    // See above.
  }

  @Override
  public void close() {
    giveBack();
    super.close();
  }

  private void giveBack() {
    for (long address : device) {
      if (address != 0) {
        cuda.free(address, stream);
      }
    }
    cuda.awaitStream(stream);
    cuda.destroyPool(pool);
    cuda.destroyStream(stream);
  }
}
