package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import java.util.List;

/**
 * Outputs in memory of an instance's pool, taken and given back in the order of a stream.
 * Thread-confined, as {@link DeviceOutputs} says.
 */
public final class PoolOutputs implements DeviceOutputs {

  private final DevicePool pool;
  private final List<Shape> shapes;
  private final long[] offsets;
  private final long address;
  private final long stream;

  /**
   * Takes the memory, which is there when the stream gets here.
   *
   * @param outputs of the model
   * @param shapes of each of them in this batch
   * @throws dev.conveyor.memory.BudgetExceededException if the ledger has no room
   * @throws dev.conveyor.memory.cuda.CudaException if the device or the pool has none
   */
  public PoolOutputs(DevicePool pool, List<TensorSpec> outputs, List<Shape> shapes, long stream) {
    this.pool = pool;
    this.shapes = List.copyOf(shapes);
    this.stream = stream;
    this.offsets = new long[shapes.size()];
    long at = 0;
    for (int o = 0; o < offsets.length; o++) {
      offsets[o] = at;
      long bytes = Math.multiplyExact(shapes.get(o).elements(), outputs.get(o).type().sizeBytes());
      at = DeviceLayout.aligned(Math.addExact(at, bytes));
    }
    this.address = pool.allocate(Math.max(1, at), stream);
  }

  @Override
  public Shape shape(int index) {
    return shapes.get(index);
  }

  @Override
  public long address(int index) {
    return address + offsets[index];
  }

  @Override
  public void close() {
    pool.free(address, stream);
  }
}
