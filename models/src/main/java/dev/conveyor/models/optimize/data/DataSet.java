package dev.conveyor.models.optimize.data;

/**
 * Items of data, read when they are asked for. Thread-confined: used by the thread that works with
 * the model.
 */
public interface DataSet {

  int size();

  /**
   * Reads an item.
   *
   * @throws dev.conveyor.models.optimize.OptimizeException if it cannot be read; the message names
   *     the file
   */
  Sample sample(int index);
}
