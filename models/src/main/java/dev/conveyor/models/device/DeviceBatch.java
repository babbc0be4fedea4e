package dev.conveyor.models.device;

/** Where the tensors of a batch lie on the device, item behind item. Immutable. */
public interface DeviceBatch {

  /** Returns the address of the first item of an input, in the model's order. */
  long input(int index);

  /** Returns the address of the first item of an output, in the model's order. */
  long output(int index);
}
