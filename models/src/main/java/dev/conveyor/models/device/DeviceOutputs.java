package dev.conveyor.models.device;

import dev.conveyor.models.Shape;

/**
 * What a batch of varying dimensions gives, in memory that its engine has taken for it.
 * Thread-confined, as the engine, but for what is known: shapes and addresses may be read by any
 * thread that was handed it.
 */
public interface DeviceOutputs extends AutoCloseable {

  /** Returns the shape of an output of the whole batch, in the model's order. */
  Shape shape(int index);

  /** Returns its address on the device. */
  long address(int index);

  /** Gives the memory back; nothing reads or writes it any more. */
  @Override
  void close();
}
